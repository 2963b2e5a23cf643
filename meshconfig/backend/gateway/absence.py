"""Reads back that a tag in W3C baggage counts only where its header is absent, which no HTTPRoute can say.

`positive` puts a rule before for the requests that have the header. A condition on the tag's member, behind rules that
take all that it would take of these requests, is read as one that asks for the header's absence too: no decision
changes, and plans know who is in a lane by baggage alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from meshconfig import baggage
from meshconfig.backend.gateway.matches import PRESENT, Match, UnclearError, both, covers, of_condition
from meshconfig.model import Condition, Route, named


def with_absence(routes: Iterable[Route], tag: str) -> Iterator[Route]:
    """The routes of a table, in the order in which they are tried.

    Parameters:
        tag: the name of the tag's header.
    """
    earlier: list[Match] = []
    for route in routes:
        conditions = tuple(_restored(one, earlier, tag) for one in route.conditions)
        earlier += map(of_condition, route.conditions)
        yield replace(route, conditions=conditions) if conditions != route.conditions else route


def _restored(condition: Condition, earlier: Iterable[Match], tag: str) -> Condition:
    headers = dict(condition.headers)
    member = headers.get(baggage.HEADER)
    if member is None or tag in headers or member.kind != "regex" or not baggage.asks_for(member.value, tag):
        return condition
    try:
        with_header = both(of_condition(condition), Match(headers=((tag, PRESENT),)))
    except UnclearError:
        return condition
    if with_header is None or not any(covers(one, with_header) for one in earlier):
        return condition
    return replace(condition, absent=named({tag: PRESENT, **dict(condition.absent)}))
