"""Text that commands a terminal or a CI runner, and what output must not have."""

import re

from hypothesis import strategies as st

TERMINAL = (
    "\x1b[2J",  # clears the screen
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",  # a link that shows other text
    "\x1b]0;title\x07",
    "\x9b31m",  # a C1 control: CSI in one character
    "a\rb",
    "a\x08b",
    "\x00",
    "\x7f",
    "\u202egnp.exe\u202c",  # from right to left
    "\u2066x\u2069",
    "pass\u200bword",
    "pass\u200dword",
    "猫\u200c犬",
    "\u200dx",
    "می\u200c",
    "\u061c\u200d\u061c",
    "\ufeffx",
    "\u2028x",
    "\udc80",
    "\U000e0041",
)
RUNNER = (
    "::error::x",
    "  ::add-mask::x",
    "\u00a0::warning file=a::x",
    "a\n::error::x",
    "a\r\n::stop-commands::t",
    "a\u2028::error::x",
    "##[error]x",
    "a ##[group]x",
    "##vso[task.setvariable variable=x]y",
    "x\n##vso[task.complete result=Failed;]",
    "##teamcity[buildStatus status='FAILURE']",
    "###[error]x",
)
MARKUP = ("[/x]", "[bold]x[/bold]", "[link=https://evil.example]x[/link]", ":smile:", "[red", r"\[x]")
hostile = st.sampled_from(TERMINAL + RUNNER + MARKUP) | st.lists(
    st.sampled_from((*"\x1b\x07\r\n\x9b\u202e\u200b[]:# ab", "::", "##[", "error", "]")), max_size=12
).map("".join)

# The joiners are spelling between letters of joined scripts, and between emoji.
_JOINED = "\u0600-\u0dff\u1000-\u109f\u1780-\u18aa\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
JOINER = rf"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
# C0 but line feed and tab, DEL, C1, surrogates, and what Unicode's Bidi_Control and zero-width characters are.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]|"
    + JOINER
)
_COMMAND = re.compile(r"^\s*::|##[A-Za-z]*\[", re.MULTILINE)


def harm(output):
    """What in a command's output a terminal or a CI runner would obey; empty if there is nothing."""
    return [ascii(found[0]) for pattern in (_CONTROL, _COMMAND) for found in pattern.finditer(output)]
