"""What routes do to a request with a given tag: the part of a route table that one lane sees."""

from collections.abc import Iterator
from typing import Any

from meshconfig.cluster.plan.parts import Http, Route
from meshconfig.istio import StringMatch, strings

Match = dict[str, Any]
Tag = str | None  # the value of the tag's header; None: there is none
Table = list[tuple[list[Match], Route]]


def condition(match: Match, tag: str, field: str = "headers") -> dict[str, Any] | None:
    """What a match asks of the tag's header; `{}` is that it is there, None is nothing."""
    named: dict[str, Any] = match.get(field) or {}
    return next((value or {} for name, value in named.items() if name.lower() == tag.lower()), None)


def without(match: Match, tag: str, field: str = "headers") -> Match:
    """The same match without what it asks of the tag's header."""
    kept = {name: value for name, value in (match.get(field) or {}).items() if name.lower() != tag.lower()}
    rest = {name: value for name, value in match.items() if name != field}
    return {**rest, field: kept} if kept else rest


def holds(asked: dict[str, Any], value: str) -> bool:
    """Does a value fulfil a match on it? One that cannot be decided may."""
    if asked.keys() == {"exact"}:
        return bool(asked["exact"] == value)
    try:
        return strings.matches(StringMatch.model_validate(asked), value)
    except strings.UnknownError:
        return True


def lane_of(route: Route, tag: str) -> str | None:
    """The lane whose route this is: the one whose tag it asks for, and nothing else.

    By the match and not by the name: a lane may be called `default` or `rule-1`.
    """
    lanes = set()
    for match in route.get("match") or ():
        asked = condition(match, tag)
        if asked is not None and set(asked) == {"exact"} and not without(match, tag):
            lanes.add(asked["exact"])
        elif not _is_baggage(match, tag):
            return None
    return lanes.pop() if len(lanes) == 1 else None


def _is_baggage(match: Match, tag: str) -> bool:
    """The alternative for who sends W3C baggage alone."""
    return set(match.get("headers") or ()) == {"baggage"} and condition(match, tag, "withoutHeaders") is not None


def asks_baggage(routes: Http, tag: str) -> bool:
    return any(_is_baggage(match, tag) for route in routes for match in route.get("match") or ())


def exact_values(routes: Http, tag: str) -> Iterator[str]:
    """The tags that a match asks for by their very value."""
    for route in routes:
        for match in route.get("match") or ():
            asked = condition(match, tag)
            if asked and "exact" in asked:
                yield asked["exact"]


def set_values(routes: Http, tag: str) -> Iterator[str]:
    """The tags that are set on requests on their way."""
    for route in routes:
        for one in (route, *(route.get("route") or ())):
            changes = ((one.get("headers") or {}).get("request") or {}).get("set") or {}
            yield from (value for name, value in changes.items() if name.lower() == tag.lower())


def meaning(routes: Http, tag: str, value: Tag) -> Table:
    """The routes as a request with this tag sees them, up to the first that takes everything.

    Each with what is left of its matches, and what it does. Two tables that are equal do the same to every request.
    """
    table: Table = []
    for route in routes:
        left = list(_left(route, tag, value))
        if left:
            action = {name: part for name, part in route.items() if name not in ("name", "match")}
            table.append(([], action) if {} in left else (left, action))
        if {} in left:
            break
    return table


def _left(route: Route, tag: str, value: Tag) -> Iterator[Match]:
    matches: list[Match] = route.get("match") or [{}]
    for match in matches:
        asked, barred = condition(match, tag), condition(match, tag, "withoutHeaders")
        if asked is not None and (value is None or not holds(asked, value)):
            continue
        if barred is not None and value is not None and holds(barred, value):
            continue
        yield without(without(match, tag), tag, "withoutHeaders")
