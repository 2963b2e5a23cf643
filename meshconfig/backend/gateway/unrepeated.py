"""The routes of a host in the order in which Gateway API tries their matches, without what was only repeated.

`precedence` repeats a match in a narrower form where it has to win against a later one. Here the reverse is found, for
rules of anybody: a match stands where the first of its narrower forms would be tried, if that changes no decision.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from meshconfig.backend.gateway.matches import Match, Rank, UnclearError, both, covers, of_condition
from meshconfig.model import Condition, Route


class Tried(NamedTuple):
    """One match of a host.

    Parameters:
        rank: how far forward it goes, as istiod ranks it.
        rule: the number of its rule.
        does: the number of what becomes of its requests; rules of one name that do the same have the same.
    """

    rank: Rank
    rule: int
    does: int
    match: Match
    condition: Condition


def in_order(routes: Sequence[Route], ranks: Sequence[Sequence[Rank]]) -> tuple[Route, ...]:
    """The routes of rules, in an order in which the first match that holds decides as Gateway API does.

    Parameters:
        routes: the routes of all rules of a host, those of the older HTTPRoute first, each with its conditions.
        ranks: of each route, the ranks of its conditions.
    """
    actions: list[Route] = []
    does = [_number(replace(route, conditions=()), actions) for route in routes]
    tried = [
        Tried(rank, number, does[number], of_condition(one), one)
        for number, route in enumerate(routes)
        for rank, one in zip(ranks[number], route.conditions or (Condition(),), strict=True)
    ]
    tried.sort(key=lambda one: one.rank, reverse=True)  # stable: the order of rules counts where ranks are equal
    return tuple(_joined(_moved(tried), routes))


def _number(action: Route, known: list[Route]) -> int:
    """The number of an action among the known ones. Neighbours are often alike, so the last are compared first."""
    for number in range(len(known) - 1, -1, -1):
        if known[number].id == action.id and known[number] == action:
            return number
    known.append(action)
    return len(known) - 1


def _moved(tried: list[Tried]) -> list[Tried]:
    """The matches, with each wide one in the place of the first of its narrower forms."""
    found = list(tried)
    place = 0
    while place < len(found):
        if (wide := _widest_after(found, place)) is not None:
            found[place] = found.pop(wide)
        place += 1
    kept: list[Tried] = []
    by_action: dict[int, list[Match]] = {}
    for one in found:
        wider = by_action.setdefault(one.does, [])
        if not any(covers(other, one.match) for other in wider):
            kept.append(one)
            wider.append(one.match)
    return kept


def _widest_after(found: Sequence[Tried], place: int) -> int | None:
    """The place of the last match that does the same as this one, covers it, and may stand here."""
    one = found[place]
    same = [number for number in range(place + 1, len(found)) if found[number].does == one.does]
    for number in reversed(same):
        if covers(found[number].match, one.match) and _may_move(found, number, place):
            return number
    return None


def _may_move(found: Sequence[Tried], start: int, place: int) -> bool:
    """Whether a match may stand further forward: what it would take from others, narrower forms of it take already."""
    one = found[start]
    forms = [found[place].match]
    for other in found[place + 1 : start]:
        if other.does == one.does:
            forms.append(other.match)
            continue
        try:
            met = both(one.match, other.match)
        except UnclearError:
            return False
        if met is not None and not any(covers(form, met) for form in forms):
            return False
    return True


def _joined(tried: Iterable[Tried], routes: Sequence[Route]) -> Iterator[Route]:
    """The routes of matches: one for neighbours that do the same."""
    for _, same in groupby(tried, key=lambda one: one.does):
        group = list(same)
        conditions = tuple(dict.fromkeys(one.condition for one in group))
        always = any(one.always for one in conditions)
        yield replace(routes[group[0].rule], conditions=() if always else conditions)
