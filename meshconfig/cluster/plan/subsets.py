"""DestinationRules on the way: what a route leads to is there, and no name changes its Pods while it serves."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.plan.parts import Parts, destinations, host, http, spec, subsets, with_subsets
from meshconfig.cluster.plan.steps import NewSubset

Name = tuple[str, str]  # a subset: its host and its name
LONGEST = 63  # a DNS label


@dataclass(frozen=True, slots=True)
class Redefined:
    """Subsets that requests go to and that get other Pods. `moving`: the new routes lead there too."""

    moving: frozenset[Name] = frozenset()
    leaving: frozenset[Name] = frozenset()


def redefined(live: Parts, wanted: Parts) -> Redefined:
    """The subsets that select other Pods under the same name, while live's routes lead to them."""
    before, after = set(served(live.virtual_services)), set(served(wanted.virtual_services))
    changed = {
        (host(rule), name)
        for key, rule in wanted.rules.items()
        for name, one in subsets(rule).items()
        if (old := subsets(live.rules.get(key)).get(name)) is not None and _selects(old) != _selects(one)
    }
    return Redefined(frozenset(changed & before & after), frozenset((changed & before) - after))


def _selects(subset: Mapping[str, Any]) -> tuple[object, object]:
    """Which Pods, and which of them first. Not time-outs and the like: they may change in place."""
    balancer = (subset.get("trafficPolicy") or {}).get("loadBalancer") or {}
    return subset.get("labels") or {}, balancer.get("localityLbSetting")


def served(virtual_services: Iterable[Manifest]) -> Iterator[Name]:
    """The subsets that routes lead to."""
    return ((one_host, name) for one_host, name, _ in _targets(virtual_services))


def _targets(virtual_services: Iterable[Manifest]) -> Iterator[tuple[str, str, int]]:
    for manifest in virtual_services:
        for one in destinations([_weighed(route) for route in http(manifest)]):
            if one.get("subset"):
                yield str(one.get("host", "")).lower(), one["subset"], (one.get("port") or {}).get("number") or 0


def _weighed(route: dict[str, Any]) -> dict[str, Any]:
    """Without the destinations that get nothing."""
    every = route.get("route") or []
    return {**route, "route": [one for one in every if one.get("weight") != 0]} if len(every) > 1 else route


def temporary(moving: Iterable[Name], live: Parts, wanted: Parts, generation: str) -> dict[Name, str]:
    """For each subset that moves, a name that is not taken, under which its new definition stands meanwhile."""
    rules = (*live.rules.values(), *wanted.rules.values())
    taken = {(host(rule), name) for rule in rules for name in subsets(rule)}
    found: dict[Name, str] = {}
    for one_host, name in sorted(moving):
        short = name[: LONGEST - len(generation) - 4].rstrip("-")
        tries = (f"{short}-{generation}{number}" for number in ("", *(f"-{count}" for count in range(2, 100))))
        found[one_host, name] = chosen = next(one for one in tries if (one_host, one) not in taken)
        taken.add((one_host, chosen))
    return found


def union(
    live: Parts, wanted: Parts, kept: frozenset[Name] = frozenset(), temporary: Mapping[Name, str] | None = None
) -> dict[Key, Manifest]:
    """Wanted's DestinationRules, with live's subsets beside theirs.

    Parameters:
        kept: those that stay as they are in live.
        temporary: the new definitions that stand under another name as well.
    """
    return {key: _union(live.rules.get(key), rule, kept, temporary or {}) for key, rule in wanted.rules.items()}


def _union(live: Manifest | None, wanted: Manifest, kept: frozenset[Name], temporary: Mapping[Name, str]) -> Manifest:
    old, new, name = subsets(live), subsets(wanted), host(wanted)
    here = {one: old[one] if (name, one) in kept else subset for one, subset in new.items()}
    moved = [{**new[one], "name": temporary[name, one]} for one in new if (name, one) in temporary]
    if here == new and not moved and old.keys() <= new.keys():
        return wanted
    # In live's order, so that it stays as it is where nothing comes.
    return with_subsets(wanted, [*{**old, **here}.values(), *moved])


def new_subsets(
    live: Parts, wanted: Iterable[Manifest], rules: Mapping[Key, Manifest], anew: Iterable[Name] = ()
) -> tuple[NewSubset, ...]:
    """The subsets that get requests by `wanted`'s routes and got none by live's.

    Parameters:
        rules: the DestinationRules that define them.
        anew: those that get other Pods in place.
    """
    known = set(served(live.virtual_services)) - set(anew)
    labels = {
        (host(rule), name): one.get("labels") or {} for rule in rules.values() for name, one in subsets(rule).items()
    }
    found = {
        (one_host, name): NewSubset(one_host, port, name, tuple(sorted(labels[one_host, name].items())))
        for one_host, name, port in _targets(wanted)
        if (one_host, name) not in known and (one_host, name) in labels
    }
    return tuple(found[one] for one in sorted(found))


def renamed(routes: list[dict[str, Any]], names: Mapping[Name, str]) -> list[dict[str, Any]]:
    """Routes that lead to subsets by other names."""
    if not names:
        return routes
    return [_renamed(route, names) for route in routes]


def _renamed(value: Any, names: Mapping[Name, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _renamed(one, names) for name, one in value.items()}
    chosen = names.get((str(value.get("host", "")).lower(), value.get("subset", "")))
    return {**changed, "subset": chosen} if chosen else changed


def ports(virtual_service: Manifest) -> int | None:
    """The port that a VirtualService's routes to its own host lead to."""
    own = spec(virtual_service).get("hosts") or ()
    found = (
        (one.get("port") or {}).get("number") for one in destinations(http(virtual_service)) if one.get("host") in own
    )
    return next((int(port) for port in found if port), None)
