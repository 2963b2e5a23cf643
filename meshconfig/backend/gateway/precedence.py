"""A route table, in which the first match wins, as rules of which the one that asks for most wins.

A rule that must win against a later one which asks for more is repeated in a narrower form: the lane's tag together
with the presence of all that the later rule asks for. What is repeated takes no request of any other rule, because it
is within the rule itself.

Rules of one HTTPRoute that ask for equally much are tried in their order. Between HTTPRoutes the older goes first,
which nobody controls. So where a table needs several HTTPRoutes, no two rules of different ones may be even, unless no
request fulfils both: one of them is repeated with all that the other asks for, or asks for a host too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from meshconfig.backend.gateway.matches import Match, UnclearError, apart, before, covers, named_parts, padded, rank
from meshconfig.backend.gateway.positive import Alternative, alternatives, positive
from meshconfig.backend.refused import UnsupportedError
from meshconfig.model import Route, RouteKind, StringMatch, named

RULES, MATCHES, MATCHES_OF_ROUTE = 16, 64, 128  # Gateway API, HTTPRouteSpec.rules and HTTPRouteRule.matches
MOST = 20_000  # matches of one host; Envoy tries them one after the other
_ROUNDS = 4
# A client sends one tag, and a browser one cookie of a name.
_SELF_EXCLUSIVE = (RouteKind.LANE, RouteKind.COOKIE, RouteKind.BUCKET)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of an HTTPRoute. `route`: what becomes of its requests; None for an answer 500."""

    route: Route | None
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Arranged:
    """The rules of a host, spread over its HTTPRoutes.

    Parameters:
        regexes: some match has a regex for its path; then so has each that takes any path.
    """

    parts: tuple[tuple[Rule, ...], ...]
    regexes: bool


def arranged(routes: Sequence[Route]) -> Arranged:
    """The rules that decide as the routes do.

    Raises:
        UnsupportedError: no order of Gateway API decides as the routes do.
    """
    items = _reachable(positive([*alternatives(routes)]))
    regexes = any(one.match.path.kind in ("prefix", "regex") for one in items)
    one_route = _rules(items, regexes=regexes, ties=False)
    parts = _parts(one_route)
    if len(parts) < 2:
        return Arranged(parts, regexes)
    for _ in range(_ROUNDS):
        rules = _rules(items, regexes=regexes, ties=True)
        parts = _parts(rules)
        even = _even(parts, regexes)
        if not even:
            return Arranged(parts, regexes)
        items = [_padded(one) if id(one.route) in even else one for one in items]
    route = next(one.route for one in items if id(one.route) in even)
    message = f"more than {RULES} rules, and several of them ask for one header in ways that cannot be ordered"
    raise UnsupportedError(route, f"{message}: fewer lanes, or rules that match another header")


def _padded(one: Alternative) -> Alternative:
    return replace(one, match=padded(one.match))


def _reachable(items: Sequence[Alternative]) -> list[Alternative]:
    """The alternatives without those that an earlier one covers, as far as it lies in the same host of conditions."""
    found: list[Alternative] = []
    seen: set[Match] = set()
    wide: list[Match] = []
    for one in items:
        if one.match in seen or any(covers(other, one.match) for other in wide):
            continue
        seen.add(one.match)
        found.append(one)
        if not one.match.headers or all(match.kind == "present" for _, match in one.match.headers):
            wide.append(one.match)  # few; the many ask for a tag's value
    return found


Shape = tuple[object, str | None, frozenset[str], frozenset[str]]


def _shape(match: Match) -> Shape:
    return match.path, match.method, *named_parts(match)


def _rules(items: Sequence[Alternative], *, regexes: bool, ties: bool) -> list[Rule]:
    """The rules in order, each with what it has to repeat.

    Parameters:
        ties: rules may be in different HTTPRoutes, so that a rule may not rely on coming before one that is even.
    """
    later: dict[Shape, Match] = {}  # what the matches of each shape have in common
    found: list[Rule] = []
    total = 0
    for route, matches in _grouped(reversed(items)):
        every: dict[Match, None] = {}
        for match in reversed(matches):
            every[match] = None
            every.update(dict.fromkeys(_repeated(match, route, later.values(), regexes=regexes, ties=ties)))
        total += len(every)
        if total > MOST:
            raise UnsupportedError(route, f"more than {MOST} matches for one host: fewer lanes or fewer rules")
        for match in every:
            shape = _shape(match)
            later[shape] = _widened(later[shape], match) if shape in later else match
        found.append(Rule(route, tuple(every)))
    return found[::-1]


def _grouped(items: Iterator[Alternative]) -> Iterator[tuple[Route | None, list[Match]]]:
    """Neighbours of one route together."""
    group: list[Match] = []
    route: Route | None = None
    for one in items:
        if group and one.route is not route:
            yield route, group
            group = []
        route = one.route
        group.append(one.match)
    if group:
        yield route, group


def _repeated(
    match: Match, route: Route | None, later: Iterable[Match], *, regexes: bool, ties: bool
) -> Iterator[Match]:
    """What a match has to be repeated as, so that it wins against all later ones."""
    own = rank(match, regexes=regexes)
    for other in later:
        theirs = rank(other, regexes=regexes)
        if theirs < own or (theirs == own and not ties):
            continue
        try:
            found = before(match, other)
        except UnclearError as error:
            raise UnsupportedError(
                route, f"{error} can both hold, and Gateway API would prefer the second: match one of them exactly"
            ) from None
        if found is None or found == match:
            continue
        if rank(found, regexes=regexes) < theirs:
            raise UnsupportedError(
                route, f"the path {found.path.value} and a rewrite of {other.path.value}/ cannot be put into an order"
            )
        yield found


def _widened(one: Match, other: Match) -> Match:
    """What takes the requests of two matches of one shape: where they differ, the presence of what they ask for."""
    return replace(one, headers=_wider(one.headers, other.headers), query=_wider(one.query, other.query))


def _wider(
    one: tuple[tuple[str, StringMatch], ...], other: tuple[tuple[str, StringMatch], ...]
) -> tuple[tuple[str, StringMatch], ...]:
    theirs: Mapping[str, StringMatch] = dict(other)
    return named({name: match if match == theirs[name] else StringMatch("present") for name, match in one})


def _parts(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], ...]:
    """The rules spread over HTTPRoutes, the last of them full: there are the few that many others compete with."""
    parts: list[list[Rule]] = []
    room, count = 0, 0
    for rule in reversed([part for one in rules for part in _within_limit(one)]):
        if not parts or room == 0 or count + len(rule.matches) > MATCHES_OF_ROUTE:
            parts.append([])
            room, count = RULES, 0
        parts[-1].append(rule)
        room, count = room - 1, count + len(rule.matches)
    return tuple(tuple(reversed(part)) for part in reversed(parts))


def _within_limit(rule: Rule) -> Iterator[Rule]:
    """A rule as one or several with no more matches than one may have: one where it rewrites the path.

    Source: Gateway API, HTTPRouteRule: with replacePrefixMatch, exactly one PathPrefix match must be specified.
    """
    size = 1 if rule.route and rule.route.rewrite is not None else MATCHES
    for start in range(0, len(rule.matches), size):
        yield Rule(rule.route, rule.matches[start : start + size])


def _even(parts: Sequence[Sequence[Rule]], regexes: bool) -> set[int]:
    """The routes that have to go further forward: they are even with one of a later HTTPRoute, and both may hold."""
    groups: dict[object, list[tuple[int, Route | None, Match]]] = {}
    for number, part in enumerate(parts):
        for rule in part:
            for match in rule.matches:
                key = (rank(match, regexes=regexes), _shape(match))
                groups.setdefault(key, []).append((number, rule.route, match))
    found: set[int] = set()
    for group in groups.values():
        if _all_apart(group):
            continue
        for index, (number, route, match) in enumerate(group):
            for later, other, theirs in group[index + 1 :]:
                if later != number and id(route) not in found and _compete(route, match, other, theirs):
                    found.add(id(route))
    return found


def _all_apart(group: Sequence[tuple[int, Route | None, Match]]) -> bool:
    """Whether each of these asks for another value of one header, as the routes of lanes do."""
    for name, _ in group[0][2].headers:
        values = [dict(match.headers)[name] for _, _, match in group]
        if all(one.kind == "exact" for one in values) and len({one.value for one in values}) == len(values):
            return True
    return len(group) < 2


def _compete(one: Route | None, match: Match, other: Route | None, theirs: Match) -> bool:
    alike = one is not None and other is not None and one.id.kind is other.id.kind and one.id.kind in _SELF_EXCLUSIVE
    return not (one is other or alike or apart(match, theirs))
