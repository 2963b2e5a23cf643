"""Analyses a regular expression (RE2, matched against the whole value): its literals, literal prefix, and `.*`.

Only forms that are read with certainty are analysed. Any other expression can still be run, but nothing is guessed.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from meshconfig.istio.strings import compiled

_TOKEN = re.compile(
    r"""
      (?P<escape>\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|x[0-9A-Fa-f]{2}|.))
    | (?P<set>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])
    | (?P<open>\((?:\?:)?)
    | (?P<close>\))
    | (?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)
    | (?P<or>\|)
    | (?P<anchor>[\^$])
    | (?P<dot>\.)
    | (?P<literal>[^\\\[\](){}*+?|^$.])
    """,
    re.VERBOSE | re.DOTALL,
)
_ZERO_WIDTH = ("\\b", "\\B", "\\A", "\\z")  # each looks at what stands around it
_OPAQUE = re.compile(r"\\[QEC]|\(\?(?!:)")  # quoting, bytes, flags and named groups change how the rest is read


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    depth: int


@lru_cache(maxsize=64)  # what is read from them is kept, as they take much more room
def tokens(pattern: str) -> tuple[Token, ...] | None:
    """The tokens of a pattern; None if it cannot be read with certainty."""
    if compiled(pattern) is None or _OPAQUE.search(pattern):
        return None
    found, depth, position = [], 0, 0
    while position < len(pattern):
        match = _TOKEN.match(pattern, position)
        if match is None:
            return None
        kind = match.lastgroup or ""
        depth -= kind == "close"
        found.append(Token(kind, match.group(), depth))
        depth += kind == "open"
        position = match.end()
    return tuple(found)


@lru_cache(maxsize=65536)
def literals(pattern: str) -> tuple[str, ...] | None:
    """The strings that a pattern matches, if it is one string or an alternative of strings: `gray|blue`, `^(a|b)$`."""
    parts = tokens(pattern)
    if parts is None:
        return None
    parts = _without_group(_without_anchors(parts))
    choices: list[str] = [""]
    for token in parts:
        if token.kind == "or":
            choices.append("")
        elif (char := _character(token)) is not None:
            choices[-1] += char
        else:
            return None
    return tuple(choices)


@lru_cache(maxsize=65536)
def head(pattern: str) -> tuple[str, bool]:
    """The literal text with which every match starts, and whether exactly `.*` follows it."""
    parts = tokens(pattern)
    parts = _without_group(_without_anchors(parts or ()))
    if any(token.kind == "or" and token.depth == 0 for token in parts):
        return "", False
    text = ""
    for index, token in enumerate(parts):
        char = _character(token)
        repeated = index + 1 < len(parts) and parts[index + 1].kind == "repeat"
        if char is None or repeated:
            return text, _is_anything(parts[index:])
        text += char
    return text, False


@lru_cache(maxsize=65536)
def before_anything(pattern: str) -> str | None:
    """The pattern without its final `.*`; a final `.+` leaves one `.`. None if the pattern has another end."""
    parts = tokens(pattern)
    if parts is None:
        return None
    parts = _without_group(_without_anchors(parts))
    if len(parts) < 2 or any(token.kind == "or" and token.depth == 0 for token in parts):
        return None
    if any(token.kind == "anchor" or token.text in _ZERO_WIDTH for token in parts):
        return None  # `$.*` is not whatever starts with what `$` matches: `.*` may be left nothing
    text = "".join(token.text for token in parts[:-1])
    if parts[-2].kind == "dot" and parts[-2].depth == 0 and parts[-1].text in ("+", "+?"):
        return text
    return text[:-1] if _is_anything(parts[-2:]) else None


def matches_whole(pattern: str, value: str) -> bool:
    program = compiled(pattern)
    return program is not None and program.fullmatch(value) is not None


def _character(token: Token) -> str | None:
    if token.kind == "literal":
        return token.text
    if token.kind == "escape" and len(token.text) == 2 and not token.text[1].isalnum():
        return token.text[1]
    return None


def _is_anything(parts: tuple[Token, ...]) -> bool:
    return (
        len(parts) == 2
        and parts[0].kind == "dot"
        and parts[0].depth == 0
        and parts[1].kind == "repeat"
        and parts[1].text in ("*", "*?")
    )


def _without_anchors(parts: tuple[Token, ...]) -> tuple[Token, ...]:
    """Remove outer anchors: redundant, as the whole value must match. In `^a|b$` they belong to one side only."""
    if any(token.kind == "or" and token.depth == 0 for token in parts):
        return parts
    start = 1 if parts and parts[0].text == "^" else 0
    end = len(parts) - 1 if len(parts) > start and parts[-1] == Token("anchor", "$", 0) else len(parts)
    return parts[start:end]


def _without_group(parts: tuple[Token, ...]) -> tuple[Token, ...]:
    """`(a|b)` as `a|b`."""
    if len(parts) < 2 or parts[0].kind != "open" or parts[-1].kind != "close" or parts[-1].depth != 0:
        return parts
    if any(token.depth == 0 for token in parts[1:-1]):
        return parts
    return tuple(Token(token.kind, token.text, token.depth - 1) for token in parts[1:-1])
