r"""The one escape for what is printed, logged or stored as text for people, and the functions that print.

Names, notes, labels and messages come from files, clusters, upstreams and other people. Shown as they are, they could
clear a terminal (`ESC[2J`), write text from right to left (U+202E), forge a line of a log (a line break) or command a
CI runner that reads the output (`::error::`, `##vso[`). Here such characters become what Python's `repr` writes for
them: `\x1b`, `\u202e`, `\n`. Other text stays as it is, so that an escape of an escaped text changes nothing. So do the
two joiners (U+200C, U+200D) between letters of scripts that are written joined, and between emoji: they are spelling
there, and invisible elsewhere.

Runners that read commands, and where:
GitHub   `::name …` after blanks at the start of a line, `##[name]` anywhere in it (actions/runner, ActionCommand.cs)
Azure    `##vso[…]` anywhere, `##[…]` at the start of a line
TeamCity `##teamcity[…]`
"""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

_SPACES = re.compile(r"[^\S\x00-\x1f\x85\u2028\u2029]")  # blanks of any width; to `str.isprintable` only U+0020 is one
_JOINERS = frozenset("\u200c\u200d")
# Arabic to Sinhala, Myanmar, Khmer, Mongolian; symbols, emoji and what chooses their form.
_JOINED = re.compile("[\u0600-\u0dff\u1000-\u109f\u1780-\u18aa\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
_LINE_COMMAND = re.compile(r"^(\s*):(?=:)")
_BRACKET_COMMAND = re.compile(r"#(?=#[A-Za-z]*\[)")
_AFTER_HASH = re.compile(r"(?<=#)#(?=[A-Za-z]*\[)")


class _Escapes(dict[int, str]):
    """For `str.translate`: each character that is not shown as itself. Computed once for each."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kept = char.isprintable() or char in "\n\t" or _SPACES.match(char)
        self[code] = char if kept else char.encode("unicode_escape").decode()
        return self[code]


_ESCAPES = _Escapes()


def escape_line(text: str) -> str:
    r"""A text as one line for people: a line break in it becomes `\n`, and no runner takes it for a command."""
    if not text.isprintable():
        text = _visible(text).replace("\n", r"\n")
    return _no_command(text)


def _visible(text: str) -> str:
    if _JOINERS.isdisjoint(text):
        return text.translate(_ESCAPES)
    return "".join(
        char
        if char in _JOINERS and _is_joined(text[at - 1 : at]) and _is_joined(text[at + 1 : at + 2])
        else _ESCAPES[ord(char)]
        for at, char in enumerate(text)
    )


def _is_joined(char: str) -> bool:
    return char.isprintable() and bool(_JOINED.match(char))


def escape(text: str) -> str:
    """A text of several lines for people. For text that this package composed: line breaks in values look the same."""
    return "\n".join(map(escape_line, text.split("\n")))


def _no_command(line: str) -> str:
    if ":" in line:
        line = _LINE_COMMAND.sub(r"\1\\x3a", line)
    return _BRACKET_COMMAND.sub(r"\\x23", line) if "##" in line else line


def escape_quoted(text: str, escaped: Callable[[int], str]) -> str:
    """Text in double quotes, as JSON or YAML, with escapes of that format in place of what may do harm.

    The data stay the same. A runner's command at the start of a line cannot be: the quote stands before it.

    Parameters:
        escaped: the format's escape of one character's code.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else escaped(ord(c)) for c in text)
    return _AFTER_HASH.sub(lambda found: escaped(ord(found[0])), text) if "##" in text else text


def json_text(
    value: Any, *, indent: int | None = 2, ascii_only: bool = True, default: Callable[[Any], Any] | None = None
) -> str:
    """A value as JSON, without a line break at its end."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, default=default)
    return escape_quoted(text, _json_escape)


def _json_escape(code: int) -> str:
    units = chr(code).encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def say(*lines: str, error: bool = False) -> None:
    """Print lines for people. Each argument is one line, whatever it contains.

    Parameters:
        error: print to standard error.
    """
    put("".join(f"{escape_line(line)}\n" for line in lines), error=error)


def put(text: str, *, error: bool = False) -> None:
    """Print text as it is: YAML, JSON and reports, whose own writers have escaped it."""
    (sys.stderr if error else sys.stdout).write(text)


def say_json(value: Any, *, indent: int | None = 2, default: Callable[[Any], Any] | None = None) -> None:
    """Print a value as JSON, for programs. `indent=None` takes one line for it."""
    put(json_text(value, indent=indent, default=default) + "\n")
