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

from meshconfig.backend.gateway.matches import (
    Match,
    Rank,
    UnclearError,
    apart,
    before,
    covers,
    named_parts,
    padded,
    rank,
)
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


def arranged(routes: Sequence[Route], *, grpc: bool = False) -> Arranged:
    """The rules that decide as the routes do.

    Parameters:
        grpc: they are for calls of gRPC, whose paths are /SERVICE/METHOD.

    Raises:
        UnsupportedError: no order of Gateway API decides as the routes do.
    """
    items = _reachable(positive([*alternatives(routes, grpc=grpc)]))
    regexes = any(one.match.path.kind in ("prefix", "regex") for one in items)
    one_route = _limited(_rules(items, regexes=regexes, ties=False))
    if _fits(one_route):
        return Arranged((tuple(one_route),), regexes)
    for _ in range(_ROUNDS):
        rules = _limited(_rules(items, regexes=regexes, ties=True))
        rivals = _rivals(rules, regexes)
        together = _together(len(rules), rivals)
        crowded = {number for group in together for number in _beyond(group, rules)}
        if not crowded:
            return Arranged(_packed(rules, together), regexes)
        forward = {id(rules[one].route) for one, _ in rivals if one in crowded}
        items = [_padded(one) if id(one.route) in forward else one for one in items]
    route = next(rules[one].route for one, _ in rivals if one in crowded)
    message = f"more than {RULES} rules ask for one header in ways that only their order tells apart"
    raise UnsupportedError(route, f"{message}: fewer lanes or paths, or rules that match another header")


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
    later: dict[Shape, tuple[Rank, Match]] = {}  # what the matches of each shape have in common; all have its rank
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
            if shape in later:
                place, known = later[shape]
                later[shape] = place, _widened(known, match)
            else:
                later[shape] = rank(match, regexes=regexes), match
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
    match: Match, route: Route | None, later: Iterable[tuple[Rank, Match]], *, regexes: bool, ties: bool
) -> Iterator[Match]:
    """What a match has to be repeated as, so that it wins against all later ones."""
    own = rank(match, regexes=regexes)
    for theirs, other in later:
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


def _limited(rules: Iterable[Rule]) -> list[Rule]:
    """The rules with no more matches in any of them than one may have."""
    return [part for one in rules for part in _within_limit(one)]


def _fits(rules: Sequence[Rule]) -> bool:
    """Whether one HTTPRoute may have these rules."""
    return len(rules) <= RULES and sum(len(one.matches) for one in rules) <= MATCHES_OF_ROUTE


def _beyond(group: Sequence[int], rules: Sequence[Rule]) -> Sequence[int]:
    """The first rules of a group that has too many for one HTTPRoute: those that the last ones leave no room for."""
    start = len(group)
    while start and _fits([rules[one] for one in group[start - 1 :]]):
        start -= 1
    return group[:start]


def _packed(rules: Sequence[Rule], together: Iterable[Sequence[int]]) -> tuple[tuple[Rule, ...], ...]:
    """The rules spread over HTTPRoutes, those of one group in one of them, in their order."""
    parts: list[list[int]] = []
    open_parts: list[list[int]] = []
    for group in together:
        for part in open_parts:
            if _fits([rules[one] for one in (*part, *group)]):
                part.extend(group)
                break
        else:
            parts.append([*group])
            open_parts = [*open_parts[-3:], parts[-1]]  # older ones are all but full
    return tuple(tuple(rules[one] for one in sorted(part)) for part in parts)


def _together(count: int, rivals: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The rules, by their numbers, in groups that must be in one HTTPRoute, because their order there counts."""
    leader = list(range(count))

    def led(one: int) -> int:
        while leader[one] != one:
            leader[one] = one = leader[leader[one]]
        return one

    for one, other in rivals:
        leader[led(other)] = led(one)
    groups: dict[int, list[int]] = {}
    for one in range(count):
        groups.setdefault(led(one), []).append(one)
    return list(groups.values())


def _within_limit(rule: Rule) -> Iterator[Rule]:
    """A rule as one or several with no more matches than one may have: one where it rewrites the path.

    Source: Gateway API, HTTPRouteRule: with replacePrefixMatch, exactly one PathPrefix match must be specified.
    """
    size = 1 if rule.route and rule.route.rewrite is not None else MATCHES
    for start in range(0, len(rule.matches), size):
        yield Rule(rule.route, rule.matches[start : start + size])


def _rivals(rules: Sequence[Rule], regexes: bool) -> list[tuple[int, int]]:
    """The pairs of rules, by their numbers, that are even and of which both may hold."""
    groups: dict[object, list[tuple[int, Match]]] = {}
    for number, rule in enumerate(rules):
        for match in rule.matches:
            groups.setdefault((rank(match, regexes=regexes), _shape(match)), []).append((number, match))
    found: dict[tuple[int, int], None] = {}
    for group in groups.values():
        if _all_apart([match for _, match in group]):
            continue
        for index, (number, match) in enumerate(group):
            for other, theirs in group[index + 1 :]:
                pair = number, other
                if pair not in found and _compete(rules[number].route, match, rules[other].route, theirs):
                    found[pair] = None
    return list(found)


def _all_apart(group: Sequence[Match]) -> bool:
    """Whether each of these asks for another value of one header, as the routes of lanes do."""
    for name, _ in group[0].headers:
        values = [dict(match.headers)[name] for match in group]
        if all(one.kind == "exact" for one in values) and len({one.value for one in values}) == len(values):
            return True
    return len(group) < 2


def _compete(one: Route | None, match: Match, other: Route | None, theirs: Match) -> bool:
    alike = one is not None and other is not None and one.id.kind is other.id.kind and one.id.kind in _SELF_EXCLUSIVE
    return not (one is other or alike or apart(match, theirs))
