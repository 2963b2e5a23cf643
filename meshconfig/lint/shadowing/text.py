"""The sets of strings that a StringMatch accepts, and whether one set lies within another."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from meshconfig.istio import StringMatch
from meshconfig.istio.strings import is_present_match, refused
from meshconfig.lint.shadowing import regex


class Kind(Enum):
    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    OPAQUE = "opaque"  # refused by Istio or unknown here: it equals itself, and nothing else is known about it


@dataclass(frozen=True, slots=True)
class Atom:
    """All strings of one form. The prefix "" means every string. `fold`: the case of ASCII letters is ignored."""

    kind: Kind
    value: str
    fold: bool = False


Texts = tuple[Atom, ...]  # their union: a list of exact strings, or one atom of another kind
ANYTHING: Texts = (Atom(Kind.PREFIX, ""),)


def texts(match: StringMatch, *, fold: bool = False) -> Texts:
    """The strings that satisfy a match. Every string satisfies a match on presence.

    Parameters:
        fold: the field `ignoreUriCase`, which Envoy applies to exact and prefix, but not to a regex.
    """
    if refused(match) or match.regex == "*":
        return (Atom(Kind.OPAQUE, repr(match)),)
    if is_present_match(match):
        return ANYTHING
    return _texts(match.exact, match.prefix, match.regex, fold)


def exactly(value: str) -> Texts:
    return (Atom(Kind.EXACT, value),)


def within(inner: Texts, outer: Texts) -> bool:
    """Whether every string of `inner` certainly belongs to `outer`."""
    if outer == ANYTHING or inner == outer:
        return True
    if len(outer) == 1:
        return all(_within(one, outer[0]) for one in inner)
    same, others = _parted(outer)
    return all(one in same or any(_within(one, other) for other in others) for one in inner)


@lru_cache(maxsize=1024)
def _parted(strings: Texts) -> tuple[frozenset[Atom], Texts]:
    """All atoms, for those that are equal to one; and those that may contain others."""
    return frozenset(strings), tuple(one for one in strings if one.kind is not Kind.EXACT or one.fold)


def choices(strings: Texts) -> tuple[str, ...]:
    """The strings, if the set is a list of them; else none."""
    return (
        tuple(one.value for one in strings) if all(one.kind is Kind.EXACT and not one.fold for one in strings) else ()
    )


def start(strings: Texts) -> str:
    """The text with which the strings start, in lower case. A set that contains others has a start of theirs."""
    return _lower(_known_start(strings[0]))


def is_closed(strings: Texts) -> bool:
    """Whether no other set lies within this one as far as `within` can tell, but for lists of strings."""
    one = strings[0]
    return one.kind is Kind.OPAQUE or (one.kind is Kind.REGEX and regex.before_anything(one.value) is None)


def may_be_empty(strings: Texts) -> bool:
    """Whether the empty string may belong to the set."""
    return within(exactly(""), strings) or any(one.kind is Kind.OPAQUE for one in strings)


@lru_cache(maxsize=65536)
def _texts(exact: str | None, prefix: str | None, pattern: str | None, fold: bool) -> Texts:
    if exact is not None:
        return (Atom(Kind.EXACT, exact, fold and _has_letters(exact)),)
    if prefix is not None:
        return (Atom(Kind.PREFIX, prefix, fold and _has_letters(prefix)),)
    return _of_regex(pattern or "")


def _of_regex(pattern: str) -> Texts:
    if (choices := regex.literals(pattern)) is not None:
        return tuple(Atom(Kind.EXACT, choice) for choice in choices)
    text, anything_follows = regex.head(pattern)
    return (Atom(Kind.PREFIX, text),) if anything_follows else (Atom(Kind.REGEX, pattern),)


def _within(inner: Atom, outer: Atom) -> bool:
    if inner == outer:
        return True
    if Kind.OPAQUE in (inner.kind, outer.kind):
        return outer == ANYTHING[0]
    if outer.kind is Kind.REGEX:
        return _within_regex(inner, outer.value)
    if inner.fold and not outer.fold:
        # `inner` contains other spellings, which `outer` excludes, unless its value has no letters.
        return outer.kind is Kind.PREFIX and not _has_letters(outer.value) and inner.value.startswith(outer.value)
    known, wanted = _known_start(inner), outer.value
    if outer.fold:
        known, wanted = _lower(known), _lower(wanted)
    return known.startswith(wanted) if outer.kind is Kind.PREFIX else inner.kind is Kind.EXACT and known == wanted


def _within_regex(inner: Atom, pattern: str) -> bool:
    if inner.fold:
        return False
    if inner.kind is Kind.EXACT:
        return regex.matches_whole(pattern, inner.value)
    start = regex.before_anything(pattern)
    if start is None:
        return False
    known = _known_start(inner)
    return any(regex.matches_whole(start, known[:length]) for length in range(len(known) + 1))


def _known_start(atom: Atom) -> str:
    """The text with which every string of the set starts."""
    return regex.head(atom.value)[0] if atom.kind is Kind.REGEX else atom.value


def _has_letters(text: str) -> bool:
    return any(char.isascii() and char.isalpha() for char in text)


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
