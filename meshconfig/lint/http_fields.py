"""The HTTP routes and matches of VirtualServices by the fields that they give.

Most rules are about a field that few routes have. They read those few, and not all routes of all VirtualServices.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from meshconfig.istio import HTTPMatchRequest, HTTPRoute, StringMatch, VirtualService
from meshconfig.istio.matches import STRING_FIELDS, strings_of
from meshconfig.istio.types import Headers, HTTPRouteDestination
from meshconfig.load import FieldPath

_USUAL = frozenset({"name", "match", "route"})  # fields that most routes have, which no rule asks for


class RouteAt(NamedTuple):
    """An HTTP route and its place. `number`: its index in `http`."""

    owner: VirtualService
    number: int
    route: HTTPRoute

    @property
    def path(self) -> FieldPath:
        return ("spec", "http", self.number)


class MatchAt(NamedTuple):
    """A match of an HTTP route and its place. `place`: its index in the route's `match`."""

    owner: VirtualService
    number: int
    place: int
    match: HTTPMatchRequest

    @property
    def path(self) -> FieldPath:
        return ("spec", "http", self.number, "match", self.place)


class HeadersAt(NamedTuple):
    """The `headers` of an HTTP route or of a destination, and the field that has them."""

    owner: VirtualService
    path: FieldPath
    headers: Headers


class HttpFields:
    """The HTTP routes and matches of some VirtualServices, in their order.

    Parameters:
        alternatives: the routes with several matches.
        forked: the routes with several destinations.
        weighted: the routes of which a destination gives a weight.
        headers: what routes and destinations write into headers.
    """

    def __init__(self, owners: Iterable[VirtualService]) -> None:
        self.alternatives: list[RouteAt] = []
        self.forked: list[RouteAt] = []
        self.weighted: list[RouteAt] = []
        self.headers: list[HeadersAt] = []
        self._routes: dict[str, list[RouteAt]] = defaultdict(list)
        self._matches: dict[str, list[MatchAt]] = defaultdict(list)
        for owner in owners:
            for number, route in enumerate(owner.spec.http):
                self._add(owner, number, route)

    def routes(self, field: str) -> list[RouteAt]:
        """The routes that give a field, by its name in `HTTPRoute`: one that few routes have."""
        return self._routes.get(field, [])

    def owners_of_routes(self, field: str) -> list[VirtualService]:
        """The VirtualServices with a route that gives a field, each once."""
        return distinct(at.owner for at in self.routes(field))

    def owners_of_matches(self, *fields: str) -> list[VirtualService]:
        """The VirtualServices with a match that gives one of the fields, each once."""
        return distinct(at.owner for at in self.matches(*fields))

    def matches(self, *fields: str) -> Iterator[MatchAt]:
        """The matches that give a field, by its name in `HTTPMatchRequest`; those of several fields, field by field."""
        return (one for field in fields for one in self._matches.get(field, ()))

    def strings(self) -> Iterator[tuple[MatchAt, FieldPath, StringMatch]]:
        """Every string that a match asks for, with the match and the place in it."""
        for field in STRING_FIELDS:
            for at in self.matches(field):
                for path, text in strings_of(at.match, field):
                    yield at, path, text

    def header_matches(self, header: str) -> Iterator[tuple[VirtualService, FieldPath, StringMatch]]:
        """All matches on one header, with their VirtualServices and fields.

        Parameters:
            header: the header's name in lower case.
        """
        for at, name in self._by_header.get(header, ()):
            yield at.owner, (*at.path, "headers", name), at.match.headers[name]

    @cached_property
    def _by_header(self) -> dict[str, list[tuple[MatchAt, str]]]:
        found: dict[str, list[tuple[MatchAt, str]]] = defaultdict(list)
        for at in self.matches("headers"):
            for name in at.match.headers:
                found[name.lower()].append((at, name))
        return found

    def _add(self, owner: VirtualService, number: int, route: HTTPRoute) -> None:
        for place, match in enumerate(route.match):
            found = MatchAt(owner, number, place, match)
            for field in match.model_fields_set:
                self._matches[field].append(found)
        further = route.model_fields_set - _USUAL
        if further or len(route.match) > 1 or len(route.route) > 1 or _says_more(route.route):
            self._add_unusual(RouteAt(owner, number, route), further)

    def _add_unusual(self, at: RouteAt, further: set[str]) -> None:
        """A route that some of the lists have. `further`: the fields that it gives and few routes have."""
        for field in further:
            self._routes[field].append(at)
        if len(at.route.match) > 1:
            self.alternatives.append(at)
        if "headers" in further:
            self.headers.append(HeadersAt(at.owner, (*at.path, "headers"), at.route.headers))
        destinations = at.route.route
        for place, one in enumerate(destinations):
            if "headers" in one.model_fields_set:
                self.headers.append(HeadersAt(at.owner, (*at.path, "route", place, "headers"), one.headers))
        if any(one.weight is not None for one in destinations):
            self.weighted.append(at)
        if len(destinations) > 1:
            self.forked.append(at)


def _says_more(destinations: Iterable[HTTPRouteDestination]) -> bool:
    """Whether a destination gives more than where the requests go."""
    return any(len(one.model_fields_set) > 1 for one in destinations)


def distinct(owners: Iterable[VirtualService]) -> list[VirtualService]:
    """Each VirtualService once."""
    return list({id(one): one for one in owners}.values())
