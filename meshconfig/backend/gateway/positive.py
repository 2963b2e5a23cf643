"""Conditions that something is absent, as Gateway API can say them: by a rule before, for where it is present.

A route that asks for `x` and for no `y` becomes: requests with `x` and `y` go where the later routes send them; then
requests with `x` go where the route sends them. What no later route takes is answered 500, as Gateway API answers
where a rule has no backend; an Istio route table would answer 404.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from meshconfig.backend.gateway.matches import Match, UnclearError, apart, both, covers, of_condition
from meshconfig.backend.refused import UnsupportedError
from meshconfig.model import Condition, Route


@dataclass(frozen=True, slots=True)
class Alternative:
    """One condition of a route.

    Parameters:
        match: what must hold.
        without: none of these may hold.
        route: None for requests that no route takes.
    """

    match: Match
    without: tuple[Match, ...]
    route: Route | None


def alternatives(routes: Iterable[Route], *, grpc: bool = False) -> Iterator[Alternative]:
    """The conditions of routes, in order.

    Parameters:
        grpc: no request has a path of one element, so that a prefix that ends in `/` is one of whole elements.
    """
    given = list(routes)
    # What rewrites a prefix goes before every regex, so that prefixes beside it have to be of elements as well.
    elements = grpc or any(map(replaces_elements, given))
    for route in given:
        for condition in route.conditions or (Condition(),):
            if condition.fields or condition.claims:
                raise UnsupportedError(route, "a match of a live route that graylane does not know")
            ends = condition.path is not None and condition.path.value.endswith("/")
            match = of_condition(condition, elements=elements and ends)
            without = [Match(headers=((name, one),)) for name, one in condition.absent]
            if match.path.kind == "elements" and not grpc:
                # The prefix `/a/` does not take `/a`; the elements of Gateway API do.
                without.append(Match(match.path._replace(kind="exact")))
            yield Alternative(match, tuple(without), route)


def replaces_elements(route: Route) -> bool:
    """Whether a rewrite of this route is one of Gateway API's: of a prefix that ends with an element."""
    prefixes = [one.path for one in route.conditions if one.path and one.path.kind == "prefix"]
    return route.rewrite is not None and bool(prefixes) and all(one.value.endswith("/") for one in prefixes)


def positive(given: Sequence[Alternative]) -> list[Alternative]:
    """The same decisions without any condition that something is absent.

    Raises:
        UnsupportedError: a later route cannot be narrowed to the requests for which it would be needed.
    """
    items = _together(given)
    found: list[Alternative] = []  # of what follows
    end = len(items)
    while end:
        start = end - 1
        while items[start].without and start and items[start - 1].without == items[start].without:
            start -= 1
        run = items[start:end]
        found = [*_kept_out(run, found), *(replace(one, without=()) for one in run), *found]
        end = start
    return found


def _together(given: Sequence[Alternative]) -> list[Alternative]:
    """The alternatives in an order that decides alike, those with the same absent things beside each other."""
    items: list[Alternative] = []
    for one in given:
        place = len(items)
        while not one.without and place and items[place - 1].without and _commute(items[place - 1], one):
            place -= 1
        items.insert(place, one)
    return items


def _commute(one: Alternative, other: Alternative) -> bool:
    """Whether the order of two neighbours means nothing: no request fulfils both, or both lead to the same."""
    if one.route is other.route or apart(one.match, other.match):
        return True
    return any(covers(absent, other.match) for absent in one.without)


def _kept_out(run: Sequence[Alternative], later: Sequence[Alternative]) -> Iterator[Alternative]:
    """Rules for requests that a run of alternatives does not take, because something is there."""
    matches = [one.match for one in run]
    for absent in run[0].without:
        try:
            yield from [*_passed_on(_narrowed(absent, _common(matches)), later)]
        except UnclearError:
            try:
                yield from [*_passed_on(_narrowed(absent, _place(matches)), later)]
            except UnclearError as error:
                raise UnsupportedError(run[0].route, f"{error} cannot both be asked for") from None


def _passed_on(asked: Match, later: Sequence[Alternative]) -> Iterator[Alternative]:
    """The later alternatives, narrowed to the requests that are asked for.

    Raises:
        UnclearError: an alternative cannot be narrowed so.
    """
    for one in later:
        if met := both(asked, one.match):
            yield Alternative(met, (), one.route)
        if covers(one.match, asked):
            return
    yield Alternative(asked, (), None)


def _narrowed(absent: Match, common: Match) -> Match:
    """Something absent within what a run asks for; where both ask for one header, it counts alone."""
    headers = tuple(pair for pair in common.headers if pair[0] not in dict(absent.headers))
    met = both(absent, replace(common, headers=headers))
    assert met is not None  # what is left out of a run's matches lies within them
    return met


def _common(matches: Sequence[Match]) -> Match:
    """What all of these matches ask for."""
    return matches[0] if len(matches) == 1 else _place(matches)


def _place(matches: Sequence[Match]) -> Match:
    """The path and the method that all of these matches ask for."""
    first = matches[0]
    path = first.path if all(one.path == first.path for one in matches) else Match().path
    method = first.method if all(one.method == first.method for one in matches) else None
    return Match(path, method)
