"""What routes do to a request with a given tag: the part of a route table that applies to one lane."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from meshconfig import baggage
from meshconfig.compile.conditions import foreign_baggage
from meshconfig.istio import StringMatch as IstioStringMatch
from meshconfig.istio import strings
from meshconfig.model import Condition, Named, Route, SetTag, StringMatch

Tag = str | None  # the value of the tag's header; None for a request without it
Routes = Sequence[Route]
Action = tuple[Any, ...]
Table = list[tuple[list[Condition], Action]]


def asked(matches: Named, tag: str) -> StringMatch | None:
    """The match on the tag's header among matches on headers; None where there is none."""
    return next((match for name, match in matches if name.lower() == tag), None)


def without_tag(condition: Condition, tag: str) -> Condition:
    """The condition without its matches on the tag's header."""
    return replace(condition, headers=_others(condition.headers, tag), absent=_others(condition.absent, tag))


def _others(matches: Named, tag: str) -> Named:
    return tuple((name, match) for name, match in matches if name.lower() != tag)


def holds(match: StringMatch, value: str) -> bool:
    """Whether a value may fulfil a match; True also where that cannot be decided."""
    if match.kind == "exact":
        return match.value == value
    shape = json.loads(match.value) if match.kind == "other" else {match.kind: match.value}
    try:
        return match.kind == "present" or strings.matches(IstioStringMatch.model_validate(shape), value)
    except strings.UnknownError:
        return True


def lane_of(route: Route, tag: str) -> str | None:
    """The lane of a route that asks for one lane's tag and for nothing else; None for any other route.

    The conditions decide and not the route's name, so that it holds for handwritten routes as well.
    """
    lanes = set()
    for condition in route.conditions:
        match = asked(condition.headers, tag)
        rest = without_tag(condition, tag)
        if match is not None and match.kind == "exact" and (rest.always or rest == foreign_baggage(tag)):
            lanes.add(match.value)
        elif not _is_baggage(condition, tag):
            return None
        elif (value := baggage.value_asked(dict(condition.headers)[baggage.HEADER].value, tag)) is not None:
            lanes.add(value)
    return lanes.pop() if len(lanes) == 1 else None


def _is_baggage(condition: Condition, tag: str) -> bool:
    """Whether this is the condition for requests that carry the tag in W3C baggage alone."""
    return {name for name, _ in condition.headers} == {baggage.HEADER} and asked(condition.absent, tag) is not None


def asked_in_baggage(condition: Condition, tag: str) -> StringMatch | None:
    """The match on the tag's member of W3C baggage, for requests without the header; None without one."""
    match = asked(condition.headers, baggage.HEADER)
    if match is None or match.kind != "regex" or asked(condition.absent, tag) is None:
        return None
    return match if baggage.asks_for(match.value, tag) else None


def asks_baggage(routes: Routes, tag: str) -> bool:
    """Whether a route takes requests that carry the tag in W3C baggage alone."""
    return any(asked_in_baggage(condition, tag) is not None for route in routes for condition in route.conditions)


def exact_values(routes: Routes, tag: str) -> Iterator[str]:
    """The tags that conditions ask for by exact value."""
    for match in asked_values(routes, tag):
        if match.kind == "exact":
            yield match.value


def asked_values(routes: Routes, tag: str) -> Iterator[StringMatch]:
    """All matches of conditions on the tag's header."""
    for route in routes:
        for condition in route.conditions:
            if (match := asked(condition.headers, tag)) is not None:
                yield match


def set_values(routes: Routes, tag: str) -> Iterator[str]:
    """The tags that routes set on requests."""
    for route in routes:
        yield from (target.tag.value for target in route.targets if isinstance(target.tag, SetTag))
        for fields in (route.fields, *(target.fields for target in route.targets)):
            changes = ((fields.get("headers") or {}).get("request") or {}).get("set") or {}
            yield from (value for name, value in changes.items() if name.lower() == tag)


def meaning(routes: Routes, tag: str, value: Tag, *, in_baggage: bool = False) -> Table:
    """The routes that apply to requests with this tag, up to the first that takes all of them.

    Each item has the route's other conditions and what the route does. If two results are equal, the routes do the same
    to every request with this tag.

    Parameters:
        tag: the name of the tag's header.
        value: the value of the tag; None for untagged requests.
        in_baggage: the tag comes as a member of W3C baggage, and its header is absent.
    """
    table: Table = []
    for route in routes:
        left = list(_left(route, tag, value, in_baggage=in_baggage))
        everything = any(condition.always for condition in left)
        if left:
            # The trail names the versions that answered in a response header; it does not change where requests go.
            targets = tuple(replace(target, trail="") for target in route.targets)
            action = (targets, route.refusal, route.rewrite, route.fields)
            table.append(([], action) if everything else (left, action))
        if everything:
            break
    return table


def _left(route: Route, tag: str, value: Tag, *, in_baggage: bool) -> Iterator[Condition]:
    header = None if in_baggage else value
    for condition in route.conditions or (Condition(),):
        match, barred = asked(condition.headers, tag), asked(condition.absent, tag)
        if match is not None and (header is None or not holds(match, header)):
            continue
        if barred is not None and header is not None and holds(barred, header):
            continue
        rest = without_tag(condition, tag)
        if (in_member := asked_in_baggage(condition, tag)) is not None:
            if not in_baggage or value is None or not holds(in_member, baggage.member(tag, value)):
                continue
            rest = without_tag(rest, baggage.HEADER)
        yield rest


def takes_everything(route: Route) -> bool:
    """Whether the route takes every request."""
    return not route.conditions or any(condition.always for condition in route.conditions)


def lanes_of(tables: Iterable[Routes], tag: str) -> frozenset[str]:
    """The tags that the routes of all tables ask for by exact value."""
    return frozenset(value for routes in tables for value in exact_values(routes, tag))
