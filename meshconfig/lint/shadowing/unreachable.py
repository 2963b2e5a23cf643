"""Which routes of a VirtualService, and which of their OR-ed matches, no request can reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from meshconfig.istio import HTTPRoute, VirtualService
from meshconfig.istio.gateways import bound_to
from meshconfig.lint.shadowing.condition import ALWAYS, Condition, condition
from meshconfig.lint.shadowing.match_index import MatchIndex


class Reason(Enum):
    CATCH_ALL = "catch-all"  # the earlier match takes every request
    SAME = "same"  # both matches are equal, and leave some requests
    SWALLOWED = "swallowed"  # the earlier match has fewer conditions


@dataclass(frozen=True, slots=True)
class MatchPosition:
    """The position of a match: its indices in `http` and in `match`. None: the route has no match."""

    route: int
    match: int | None

    @property
    def path(self) -> tuple[str | int, ...]:
        here: tuple[str | int, ...] = ("spec", "http", self.route)
        return here if self.match is None else (*here, "match", self.match)


@dataclass(frozen=True, slots=True)
class UnreachableMatch:
    """A match that no request reaches, because the earlier match at `by` takes all of its requests."""

    at: MatchPosition
    by: MatchPosition
    reason: Reason


@dataclass(frozen=True, slots=True)
class UnreachableRoute:
    """A route all of whose matches are unreachable."""

    route: int
    matches: tuple[UnreachableMatch, ...]

    @property
    def reason(self) -> Reason:
        """The most telling reason among its matches: swallowed, then catch-all, then same."""
        reasons = {one.reason for one in self.matches}
        return next(one for one in (Reason.SWALLOWED, Reason.CATCH_ALL, Reason.SAME) if one in reasons)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The unreachable routes of a VirtualService, and the unreachable matches of its other routes."""

    routes: tuple[UnreachableRoute, ...] = ()
    matches: tuple[UnreachableMatch, ...] = ()


def conditions(owner: VirtualService, route: HTTPRoute, index: int) -> list[tuple[MatchPosition, Condition]]:
    """The conditions of a route's matches with their positions. A route without a match has one that always holds."""
    if not route.match:
        return [(MatchPosition(index, None), ALWAYS)]
    return [(MatchPosition(index, number), condition(match, owner)) for number, match in enumerate(route.match)]


def unreachable(owner: VirtualService) -> Unreachable:
    """Find the routes and matches that no request reaches.

    A route with a delegate covers nothing, because requests that no route of the delegate matches go to the next route.
    """
    if _are_plainly_apart(owner.spec.http):
        return Unreachable()
    earlier = MatchIndex[MatchPosition](gateways_of(owner))
    routes: list[UnreachableRoute] = []
    matches: list[UnreachableMatch] = []
    for index, route in enumerate(owner.spec.http):
        alternatives = conditions(owner, route, index)
        found = [_unreachable(place, each, earlier) for place, each in alternatives]
        dead = [one for one in found if one]
        if len(dead) == len(alternatives):
            routes.append(UnreachableRoute(index, tuple(dead)))
        within_route = MatchIndex[MatchPosition](earlier.gateways)
        for before, (place, each) in zip(found, alternatives, strict=True):
            # One match is told once: that an earlier route takes its requests says more than that this route does.
            if len(dead) < len(alternatives) and (one := before or _unreachable(place, each, within_route)):
                matches.append(one)
            within_route.add(place, each)
            if route.delegate is None:
                earlier.add(place, each)
    return Unreachable(tuple(routes), tuple(matches))


def _are_plainly_apart(routes: Sequence[HTTPRoute]) -> bool:
    """Whether each route but the last asks for one header by a value that no other asks for, as most specs render."""
    asked: set[tuple[str, str]] = set()
    for number, route in enumerate(routes):
        if not route.match:
            return number == len(routes) - 1
        if len(route.match) > 1 or len(route.match[0].headers) != 1:
            return len(routes) == 1 and len(route.match) == 1
        ((name, text),) = route.match[0].headers.items()
        if text.exact is None or (name.lower(), text.exact) in asked:
            return len(routes) == 1
        asked.add((name.lower(), text.exact))
    return True


def gateways_of(owner: VirtualService) -> frozenset[str]:
    return bound_to(owner.spec.gateways, owner.namespace)


def _unreachable(place: MatchPosition, later: Condition, earlier: MatchIndex[MatchPosition]) -> UnreachableMatch | None:
    found = earlier.covering(later)
    if found is None:
        return None
    by, condition_before = found
    if condition_before.always:
        reason = Reason.CATCH_ALL
    else:
        reason = Reason.SAME if later == condition_before else Reason.SWALLOWED
    return UnreachableMatch(place, by, reason)
