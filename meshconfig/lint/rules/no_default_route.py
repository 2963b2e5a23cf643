"""Requests without the header find no route."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.istio.matches import CLAIMS
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.condition import ASKED_OF_THE_CLIENT, Condition, without_headers
from meshconfig.lint.shadowing.match_index import MatchIndex
from meshconfig.lint.shadowing.unreachable import conditions, gateways_of

_MESSAGE = "a request that lacks what this route asks of the client gets 404"
_ELSEWHERE = ", except where the path of another route takes it"


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        routes = owner.spec.http
        # A VirtualService without hosts is a delegate: the one that names it has the default.
        if routes and routes[-1].match and owner.spec.hosts:
            yield from _closed(owner)


def _closed(owner: VirtualService) -> Iterator[Hit]:
    """For each route that asks something of the client: is there one for the same place that asks nothing?"""
    every = [
        (number, one) for number, route in enumerate(owner.spec.http) for _, one in conditions(owner, route, number)
    ]
    ways = MatchIndex[int](gateways_of(owner))
    for number, one in every:
        if not _asks(one):
            ways.add(number, without_headers(one))
    closed: dict[Condition, int] = {}
    for number, one in every:
        if _asks(one) and not _needs_a_claim(one) and ways.covering(without_headers(one)) is None:
            closed.setdefault(without_headers(one), number)
    open_to_all = any(not _asks(one) for _, one in every)
    for number in sorted(set(closed.values())):
        yield Hit(owner, ("spec", "http", number), _MESSAGE + (_ELSEWHERE if open_to_all else ""))


def _asks(one: Condition) -> bool:
    """Does it ask for something that the client sends? What must not be sent leaves a way for who does not send it."""
    return any(key[0] in ASKED_OF_THE_CLIENT for key in one.values)


def _needs_a_claim(one: Condition) -> bool:
    """Does it ask for a claim of a JWT? Then 404 is what a request without the claim is meant to get."""
    return any(kind == "claim" or (kind == "opaque" and CLAIMS in name) for kind, name in one.values)


RULE = Rule(
    code="GL210",
    level=Level.WARNING,
    title="There is no default route: requests without the header get 404.",
    fix="End with a route without a match, to the baseline's version.",
    why="Once a VirtualService has a route for a host, Istio adds none: a request that no route matches gets 404.",
    resources=check,
)
