"""Strings that fulfil a match, and strings that nearly do."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from meshconfig.istio import StringMatch
from meshconfig.istio.strings import compiled
from meshconfig.lint.shadowing.regex import Token, tokens

_CLASSES = {"\\d": "7", "\\w": "a", "\\s": " ", "\\D": "a", "\\W": "-", "\\S": "a"}
_SET = "a0A-_/.;= bz9"  # characters that are tried for a set
_LONG = 3  # repetitions besides the fewest


def met(match: StringMatch) -> list[str]:
    """Values that fulfil a match; empty where none is found, as for some regular expressions."""
    if match.exact is not None:
        return [match.exact]
    if match.prefix is not None:
        return [match.prefix, f"{match.prefix}x"]
    if match.regex is not None and match.regex != "*":
        return list(of_regex(match.regex))
    return ["any"]


def missed(match: StringMatch) -> list[str]:
    """Values that do not fulfil a match but nearly do."""
    if match.exact is not None:
        return [f"{match.exact}x", match.exact[:-1], match.exact.swapcase()]
    if match.prefix is not None:
        return [match.prefix[:-1], f"x{match.prefix}"]
    if match.regex is not None and match.regex != "*":
        program = compiled(match.regex)
        tries = [text for one in of_regex(match.regex) for text in (f"{one}x", one[:-1], f"x{one}")]
        return [text for text in (*tries, "none-of-these") if program is None or program.fullmatch(text) is None][:4]
    return []


@lru_cache(maxsize=4096)
def of_regex(pattern: str) -> tuple[str, ...]:
    """Some strings that a regular expression (RE2) matches as a whole, found by reading it; empty if none is found."""
    program, read = compiled(pattern), tokens(pattern)
    if program is None:
        return ()
    texts = [text for extra in (0, 1, _LONG) for text in _texts(read or (), extra)]
    found = [text for text in dict.fromkeys((*texts, "", "a", "any")) if program.fullmatch(text) is not None]
    return tuple(text for text in found if text.isprintable())[:8]


def _texts(read: Sequence[Token], extra: int) -> Iterator[str]:
    """A text for each alternative at the top, and for the first and last of each group.

    Parameters:
        extra: how often more than needed a repeated part stands there.
    """
    for last in (False, True):
        for part in _alternatives(read):
            yield _text(part, extra, last=last)


def _alternatives(read: Sequence[Token]) -> list[Sequence[Token]]:
    """The alternatives at the top level of some tokens."""
    found: list[list[Token]] = [[]]
    depth = read[0].depth if read else 0
    for token in read:
        if token.kind == "or" and token.depth == depth:
            found.append([])
        else:
            found[-1].append(token)
    return list(found)


def _text(read: Sequence[Token], extra: int, *, last: bool) -> str:
    text, place = "", 0
    while place < len(read):
        token = read[place]
        one, place = _piece(read, place, extra, last=last)
        if place < len(read) and read[place].kind == "repeat" and token.kind != "anchor":
            one, place = one * _times(read[place].text, extra), place + 1
        text += one
    return text


def _piece(read: Sequence[Token], place: int, extra: int, *, last: bool) -> tuple[str, int]:
    """The text of one part, and the place behind it."""
    token = read[place]
    if token.kind == "open":
        end = next(
            at for at in range(place + 1, len(read)) if read[at].kind == "close" and read[at].depth == token.depth
        )
        choices = _alternatives(read[place + 1 : end])
        return _text(choices[-1 if last else 0], extra, last=last), end + 1
    if token.kind == "escape":
        return _CLASSES.get(token.text, token.text[1:] if len(token.text) == 2 else ""), place + 1
    if token.kind == "set":
        program = compiled(token.text)
        return next((one for one in _SET if program is not None and program.fullmatch(one)), ""), place + 1
    return {"dot": "a", "literal": token.text}.get(token.kind, ""), place + 1


def _times(repeat: str, extra: int) -> int:
    fewest = {"*": 0, "?": 0, "+": 1}.get(repeat[0])
    if fewest is None:
        fewest = int(repeat[1:].partition("}")[0].partition(",")[0])
        return fewest + (extra if "," in repeat else 0)
    return min(1, extra) if repeat[0] == "?" else fewest + extra
