"""Subsets during a change: each route's subset exists, and no subset gets other Pods while requests go to it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.cluster.plan.steps import NewSubset
from meshconfig.model import Name, Route, RouteTable, RoutingState, Subset, SubsetTable

SubsetName = tuple[str, str]  # a subset: its host and its name
LONGEST = 63  # characters in a DNS label


@dataclass(frozen=True, slots=True)
class Redefined:
    """The subsets that get other Pods while live routes lead to them.

    Parameters:
        moving: those to which the wanted routes lead, too.
        leaving: those to which no wanted route leads.
    """

    moving: frozenset[SubsetName] = frozenset()
    leaving: frozenset[SubsetName] = frozenset()


def redefined(live: RoutingState, wanted: RoutingState) -> Redefined:
    """Finds the subsets that keep their name and select other Pods, while live routes lead to them."""
    before, after = set(served(live.route_tables)), set(served(wanted.route_tables))
    changed = {
        (table.host.lower(), name)
        for place, table in wanted.subsets.items()
        for name, one in table.by_name.items()
        if (old := _by_name(live.subsets.get(place)).get(name)) is not None and _selects(old) != _selects(one)
    }
    return Redefined(frozenset(changed & before & after), frozenset((changed & before) - after))


def _by_name(table: SubsetTable | None) -> dict[str, Subset]:
    return table.by_name if table else {}


def _selects(subset: Subset) -> tuple[object, object]:
    """The Pods of a subset and their order of preference. Other settings, such as time-outs, may change in place.

    A version that is a Service has ports too, which routes name.
    """
    fields = subset.fields or {}
    balancer = (fields.get("trafficPolicy") or {}).get("loadBalancer") or {}
    return subset.labels, subset.failover or balancer.get("localityLbSetting") or fields.get("ports")


def served(tables: Iterable[RouteTable]) -> Iterator[SubsetName]:
    """The subsets that routes lead to."""
    return ((host, name) for host, name, _ in _destinations(tables))


def _destinations(tables: Iterable[RouteTable]) -> Iterator[tuple[str, str, int]]:
    """Host, subset and port of all destinations that get requests, including mirrors."""
    for route in (route for table in tables for route in table.routes):
        for target in route.targets:
            # One of several targets gets no requests if its weight is 0. A single target gets all, whatever its weight.
            if target.subset and (target.weight != 0 or len(route.targets) == 1):
                yield target.host.lower(), target.subset, target.port or 0
        for one in _mirrored(route):
            if one.get("subset"):
                yield str(one.get("host", "")).lower(), one["subset"], (one.get("port") or {}).get("number") or 0


def _mirrored(route: Route) -> Iterator[Mapping[str, Any]]:
    if mirror := route.fields.get("mirror"):
        yield mirror
    yield from (one.get("destination") or {} for one in route.fields.get("mirrors") or ())


def temporary(
    moving: Iterable[SubsetName], live: RoutingState, wanted: RoutingState, generation: str
) -> dict[SubsetName, str]:
    """Temporary names for subsets: during the change, the new definition of each stands under a name that is free.

    Parameters:
        generation: the name of the tag generation; it is part of the names (`gray-next`).
    """
    tables = (*live.subsets.values(), *wanted.subsets.values())
    taken = {(table.host.lower(), subset.name) for table in tables for subset in table.subsets}
    found: dict[SubsetName, str] = {}
    for host, name in sorted(moving):
        short = name[: LONGEST - len(generation) - 4].rstrip("-")
        tries = (f"{short}-{generation}{number}" for number in ("", *(f"-{count}" for count in range(2, 100))))
        found[host, name] = chosen = next(one for one in tries if (host, one) not in taken)
        taken.add((host, chosen))
    return found


def union(
    live: RoutingState,
    wanted: RoutingState,
    kept: frozenset[SubsetName] = frozenset(),
    temporary: Mapping[SubsetName, str] | None = None,
) -> dict[Name, SubsetTable]:
    """The wanted subset tables, with the live subsets beside the wanted ones.

    Parameters:
        kept: the subsets that stay as they are in `live`.
        temporary: for subsets whose new definition stands under a temporary name as well, that name.
    """
    return {
        place: _union(live.subsets.get(place), table, kept, temporary or {}) for place, table in wanted.subsets.items()
    }


def _union(
    live: SubsetTable | None,
    wanted: SubsetTable,
    kept: frozenset[SubsetName],
    temporary: Mapping[SubsetName, str],
) -> SubsetTable:
    old, new, host = _by_name(live), wanted.by_name, wanted.host.lower()
    staying = {name: old[name] for name in new if (host, name) in kept}
    moved = [replace(new[name], name=temporary[host, name]) for name in new if (host, name) in temporary]
    if not staying and not moved and old.keys() <= new.keys():
        return wanted
    # The live order is kept, so that a table without new subsets is unchanged and is not written.
    return replace(wanted, subsets=(*{**old, **new, **staying}.values(), *moved))


def new_subsets(
    live: RoutingState,
    wanted: Iterable[RouteTable],
    tables: Mapping[Name, SubsetTable],
    anew: Iterable[SubsetName] = (),
) -> tuple[NewSubset, ...]:
    """The subsets that the wanted routes send requests to and the live routes do not.

    Parameters:
        tables: the subset tables that define the subsets.
        anew: subsets that count as new, because they get other Pods in place.
    """
    known = set(served(live.route_tables)) - set(anew)
    labels = {(table.host.lower(), one.name): one.labels for table in tables.values() for one in table.subsets}
    found = {
        (host, name): NewSubset(host, port, name, labels[host, name])
        for host, name, port in _destinations(wanted)
        if (host, name) not in known and (host, name) in labels
    }
    return tuple(found[one] for one in sorted(found))


def renamed(route: Route, names: Mapping[SubsetName, str]) -> Route:
    """The route, with other names for the subsets that it leads to."""
    if not names:
        return route
    targets = tuple(replace(one, subset=names.get((one.host.lower(), one.subset), one.subset)) for one in route.targets)
    return replace(route, targets=targets, fields=_renamed(route.fields, names))


def _renamed(value: Any, names: Mapping[SubsetName, str]) -> Any:
    """Renames subsets in a value of Istio's fields, where mirrors refer to them."""
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _renamed(one, names) for name, one in value.items()}
    chosen = names.get((str(value.get("host", "")).lower(), str(value.get("subset", ""))))
    return {**changed, "subset": chosen} if chosen else changed
