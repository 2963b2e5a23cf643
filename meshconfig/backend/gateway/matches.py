"""Matches of HTTPRoutes: what one asks for, how two go together, and which of two goes first.

Gateway API has no first match. Of the matches of all HTTPRoutes of a host that hold, the one that asks for most wins:
an exact path, a longer path, a method, more headers, more query parameters, and last the older route and the earlier
rule. A regex for the path is up to the implementation; istiod puts it behind all prefixes and the longer first.
Source: Gateway API, HTTPRouteRule.matches; istio/istio pilot/pkg/config/kube/gateway/conversion.go, sortHTTPRoutes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from meshconfig.baggage import quoted, takes_all_of
from meshconfig.istio.strings import compiled
from meshconfig.model import Condition, Named, StringMatch, named

PRESENT = StringMatch("present")
ELEMENTS = "elements"  # in a condition of a live route: its path compares whole elements
PADDING = "host"  # every request has it, so that a condition on its presence only makes a match go further forward

Rank = tuple[int, int, bool, int, int]
_EXACT, _ELEMENTS, _REGEX = 3, 2, 1  # istiod's ranks of paths


class UnclearError(ValueError):
    """Nobody can say by the texts alone which requests fulfil both of two conditions."""


class Path(NamedTuple):
    """A condition on the path.

    Parameters:
        kind: `prefix` compares characters, as Istio's VirtualService does; `elements` whole elements of a path, as
            `PathPrefix` does; `any` takes every path.
    """

    kind: Literal["any", "exact", "prefix", "elements", "regex"]
    value: str = ""

    @property
    def regex(self) -> str:
        """The path as a regular expression (RE2)."""
        match self.kind:
            case "any":
                return "/.*"
            case "prefix":
                return f"{quoted(self.value)}.*"
            case "regex":
                return self.value
            case _:
                raise AssertionError(f"a path {self.kind} needs no regex")

    def takes(self, path: str) -> bool:
        """Whether a path fulfils the condition."""
        match self.kind:
            case "exact":
                return path == self.value
            case "prefix":
                return path.startswith(self.value)
            case "elements":
                return path == self.value or path.startswith(f"{self.value}/")
            case "regex":
                return _fulfils(self.value, path)
            case "any":
                return True


ANY = Path("any")


@dataclass(frozen=True, slots=True)
class Match:
    """One match: all that is given must hold."""

    path: Path = ANY
    method: str | None = None
    headers: Named = ()
    query: Named = ()


def _fulfils(pattern: str, value: str) -> bool:
    """Whether a value fulfils a regular expression as a whole.

    Raises:
        UnclearError: RE2 refuses the expression, which a route of anybody may have.
    """
    program = compiled(pattern)
    if program is None:
        raise UnclearError(f"regex {pattern}, which RE2 refuses,")
    return program.fullmatch(value) is not None


def of_condition(condition: Condition, *, elements: bool = False) -> Match:
    """The positive part of a condition.

    Parameters:
        elements: a prefix means whole elements of the path: it ends in `/`, which Gateway API leaves out.
    """
    path = condition.path
    if path is None:
        found = ANY
    elif path.kind == "prefix" and elements:
        found = Path("elements", path.value.removesuffix("/"))
    elif path.kind in ("exact", "prefix"):
        found = Path("exact" if path.kind == "exact" else "prefix", path.value)
    elif path.kind == "other":
        found = Path("elements", json.loads(path.value)[ELEMENTS])
    else:
        found = Path("regex", path.value)
    return Match(found, condition.method, condition.headers, condition.query)


def rank(match: Match, *, regexes: bool) -> Rank:
    """How far forward a match goes; the greater first.

    Parameters:
        regexes: some match of the host has a regex for its path, so that `any` is written as one too.
    """
    path = match.path
    if path.kind == "exact":
        place = (_EXACT, len(path.value.encode()))
    elif path.kind == "elements":
        place = (_ELEMENTS, len(path.value.encode()))
    elif path.kind == "any" and not regexes:
        place = (_ELEMENTS, 1)
    else:
        place = (_REGEX, len(path.regex.encode()))
    return (*place, match.method is not None, len(match.headers), len(match.query))


def both_paths(one: Path, other: Path) -> Path | None:
    """The paths that fulfil both conditions; None where there are none.

    Raises:
        UnclearError: a regular expression and something other than an exact path, or one that RE2 refuses.
    """
    if one == other or other.kind == "any":
        return one
    if one.kind == "any":
        return other
    for here, there in ((one, other), (other, one)):
        if here.kind == "exact":
            return here if there.takes(here.value) else None
    if "regex" in (one.kind, other.kind):
        raise UnclearError(f"the path {_said(one)} and the path {_said(other)}")
    narrow, wide = sorted((one, other), key=lambda path: (len(path.value), path.kind == "prefix"), reverse=True)
    return narrow if wide.takes(narrow.value) else None


def _said(path: Path) -> str:
    return f"{'prefix' if path.kind == 'elements' else path.kind} {path.value}"


def both_strings(one: StringMatch, other: StringMatch) -> StringMatch | None:
    """The values that fulfil both matches; None where there are none.

    Raises:
        UnclearError: two different regular expressions, or a regular expression and a prefix.
    """
    if one == other or other.kind == "present":
        return one
    if one.kind == "present":
        return other
    for here, there in ((one, other), (other, one)):
        if here.kind == "exact":
            return here if _takes(there, here.value) else None
    for here, there in ((one, other), (other, one)):
        if here.kind == there.kind == "regex" and takes_all_of(here.value, there.value):
            return there
    if "regex" in (one.kind, other.kind):
        raise UnclearError(f"{one.kind} {one.value} and {other.kind} {other.value}")
    narrow, wide = sorted((one, other), key=lambda match: len(match.value), reverse=True)
    return narrow if narrow.value.startswith(wide.value) else None


def _takes(match: StringMatch, value: str) -> bool:
    match match.kind:
        case "exact":
            return match.value == value
        case "prefix":
            return value.startswith(match.value)
        case "regex":
            return _fulfils(match.value, value)
        case _:
            return True


def both(one: Match, other: Match) -> Match | None:
    """The match that holds where both hold; None where they never hold together.

    Raises:
        UnclearError: the two ask for one path, header or parameter in ways that cannot be compared.
    """
    path = both_paths(one.path, other.path)
    if path is None or (one.method and other.method and one.method != other.method):
        return None
    headers, query = _joined(one.headers, other.headers), _joined(one.query, other.query)
    if headers is None or query is None:
        return None
    return Match(path, one.method or other.method, headers, query)


def _joined(one: Named, other: Named) -> Named | None:
    found = dict(one)
    for name, match in other:
        joined = both_strings(found[name], match) if name in found else match
        if joined is None:
            return None
        found[name] = joined
    return named(found)


def apart(one: Match, other: Match) -> bool:
    """Whether no request fulfils both, as far as the texts show it.

    A header that is sent several times may fulfil two matches that ask for different values: that is left aside.
    """
    try:
        return both(one, other) is None
    except UnclearError:
        return False


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request of `narrow` fulfils `wide`, as far as the texts show it."""
    if wide.method not in (None, narrow.method):
        return False
    try:
        if both_paths(wide.path, narrow.path) != narrow.path:
            return False
    except UnclearError:
        return False
    return _all_in(wide.headers, dict(narrow.headers)) and _all_in(wide.query, dict(narrow.query))


def _all_in(wide: Named, narrow: Mapping[str, StringMatch]) -> bool:
    return all(name in narrow and match in (narrow[name], PRESENT) for name, match in wide)


def before(one: Match, other: Match) -> Match | None:
    """A match within `one` that takes all its requests that `other` takes too, and that goes at least as far forward.

    It asks for the presence of what only `other` asks for. None where no request fulfils both.

    Raises:
        UnclearError: the two paths cannot be compared.
    """
    path = both_paths(one.path, other.path)
    if path is None or (one.method and other.method and one.method != other.method):
        return None
    headers, query = ({**dict(theirs), **dict(ours)} for ours, theirs in _sides(one, other))
    return Match(path, one.method or other.method, named(headers), named(query))


def _sides(one: Match, other: Match) -> tuple[tuple[Named, Named], tuple[Named, Named]]:
    return (one.headers, other.headers), (one.query, other.query)


def named_parts(match: Match) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the headers and of the query parameters that a match asks for."""
    return frozenset(name for name, _ in match.headers), frozenset(name for name, _ in match.query)


def padded(match: Match) -> Match:
    """The match with one more condition, which every request fulfils."""
    return Match(match.path, match.method, named({PADDING: PRESENT, **dict(match.headers)}), match.query)
