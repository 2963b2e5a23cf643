"""Which routes of a VirtualService, and which of their OR-ed matches, no request can reach."""

from dataclasses import dataclass
from enum import Enum

from meshconfig.istio import HTTPRoute, VirtualService
from meshconfig.istio.gateways import bound_to
from meshconfig.lint.shadowing.condition import ALWAYS, Condition, condition
from meshconfig.lint.shadowing.match_index import MatchIndex


class Reason(Enum):
    CATCH_ALL = "catch-all"  # the earlier match takes every request
    SAME = "same"  # the two ask for the same
    SWALLOWED = "swallowed"  # the earlier one asks for less


@dataclass(frozen=True, slots=True)
class MatchPosition:
    """A match of a route: the indices in `http` and in `match`; None is a route without a match."""

    route: int
    match: int | None

    @property
    def path(self) -> tuple[str | int, ...]:
        here: tuple[str | int, ...] = ("spec", "http", self.route)
        return here if self.match is None else (*here, "match", self.match)


@dataclass(frozen=True, slots=True)
class UnreachableMatch:
    """A match that never decides, because the earlier one at `by` has taken all its requests."""

    at: MatchPosition
    by: MatchPosition
    reason: Reason


@dataclass(frozen=True, slots=True)
class UnreachableRoute:
    """A route all of whose matches are dead."""

    route: int
    matches: tuple[UnreachableMatch, ...]

    @property
    def reason(self) -> Reason:
        """Of several, the one that says most: swallowed, then a catch-all, then the same."""
        reasons = {one.reason for one in self.matches}
        return next(one for one in (Reason.SWALLOWED, Reason.CATCH_ALL, Reason.SAME) if one in reasons)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """`routes` never answer; `matches` are dead ones of routes that do."""

    routes: tuple[UnreachableRoute, ...] = ()
    matches: tuple[UnreachableMatch, ...] = ()


def conditions(owner: VirtualService, route: HTTPRoute, index: int) -> list[tuple[MatchPosition, Condition]]:
    """A route's matches, each with its place; one that always holds for a route without."""
    if not route.match:
        return [(MatchPosition(index, None), ALWAYS)]
    return [(MatchPosition(index, number), condition(match, owner)) for number, match in enumerate(route.match)]


def unreachable(owner: VirtualService) -> Unreachable:
    """What no request reaches.

    A route that hands on to a delegate swallows nothing: what the delegate lets pass goes on to the next route.
    """
    if len(owner.spec.http) < 2 and all(len(route.match) < 2 for route in owner.spec.http):
        return Unreachable()
    earlier = MatchIndex[MatchPosition](gateways_of(owner))
    routes: list[UnreachableRoute] = []
    matches: list[UnreachableMatch] = []
    for index, route in enumerate(owner.spec.http):
        alternatives = conditions(owner, route, index)
        found = [one for one in (_unreachable(place, each, earlier) for place, each in alternatives) if one]
        if len(found) == len(alternatives):
            routes.append(UnreachableRoute(index, tuple(found)))
        if route.delegate is not None:
            continue
        within_route = MatchIndex[MatchPosition](earlier.gateways)
        for place, each in alternatives:
            if len(found) < len(alternatives) and (one := _unreachable(place, each, within_route)):
                matches.append(one)
            within_route.add(place, each)
            earlier.add(place, each)
        if len(found) < len(alternatives):
            matches += found
    return Unreachable(tuple(routes), tuple(sorted(set(matches), key=lambda one: (one.at.route, one.at.match or 0))))


def gateways_of(owner: VirtualService) -> frozenset[str]:
    return bound_to(owner.spec.gateways, owner.namespace)


def _unreachable(place: MatchPosition, later: Condition, earlier: MatchIndex[MatchPosition]) -> UnreachableMatch | None:
    found = earlier.covering(later)
    if found is None:
        return None
    by, condition_before = found
    if later == condition_before:
        reason = Reason.SAME
    else:
        reason = Reason.CATCH_ALL if condition_before.always else Reason.SWALLOWED
    return UnreachableMatch(place, by, reason)
