"""Who gets what, by the live VirtualServices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.cluster.status.status import EntryState, How, Lane, Share
from meshconfig.compile.services import DEFAULT, Plan, runtime_subset
from meshconfig.model import Entry, Service


def lanes(service: Service, plan: Plan, live: State) -> tuple[Lane, ...]:
    """Each lane's version of the service, and last what the untagged get, by the routes' names."""
    found = live.get(Key("VirtualService", service.namespace, service.resource))
    names = list(plan.group.spec.lanes)
    if found is None:
        return tuple(Lane(name, How.NONE, ()) for name in [*names, None])
    routes = _routes(found)
    runtime = {runtime_subset(version, plan.baseline): version for version in plan.spec.versions}
    untagged = _shares(routes.get(DEFAULT, {}), runtime)
    return (*(_lane(name, routes.get(name), runtime, untagged) for name in names), Lane(None, How.OWN, untagged))


def _lane(name: str, route: Manifest | None, runtime: Mapping[str, str], untagged: tuple[Share, ...]) -> Lane:
    if route is None:
        return Lane(name, How.FALLBACK, untagged)
    if "directResponse" in route:
        return Lane(name, How.REFUSED, ())
    subsets = [_subset(one) for one in _destinations(route)]
    how = How.RUNTIME if any(subset in runtime for subset in subsets) else How.OWN
    return Lane(name, how, _shares(route, runtime))


def entry(one: Entry, tag: str, live: State) -> EntryState:
    """How the entry's first path splits who sends no tag over lanes; empty where it does not."""
    found = live.get(Key("VirtualService", one.namespace, one.resource))
    route = _routes(found).get(DEFAULT, {}) if found else {}
    there = _destinations(route)
    tags = [((one.get("headers") or {}).get("request") or {}).get("set", {}).get(tag) for one in there]
    if len({*tags}) < 2 or None in tags:
        return EntryState(one.hosts, ())
    return EntryState(one.hosts, tuple(_summed(zip(tags, _percents(there), strict=True)).items()))


def _routes(virtual_service: Manifest) -> dict[str, Manifest]:
    """By name, the first of each: what comes after it of the same name is for other paths."""
    found: dict[str, Manifest] = {}
    for route in virtual_service.get("spec", {}).get("http") or ():
        found.setdefault(route.get("name", ""), route)
    return found


def _shares(route: Manifest, runtime: Mapping[str, str]) -> tuple[Share, ...]:
    there = _destinations(route)
    names = [runtime.get(subset, subset) for subset in map(_subset, there)]
    return tuple(Share(*pair) for pair in _summed(zip(names, _percents(there), strict=True)).items())


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, percent in pairs:
        found[name] = found.get(name, 0.0) + percent
    return found


def _destinations(route: Manifest) -> Sequence[Manifest]:
    return route.get("route") or ()


def _subset(destination: Mapping[str, Any]) -> str:
    return str((destination.get("destination") or {}).get("subset") or "any")


def _percents(destinations: Sequence[Manifest]) -> list[float]:
    """One destination gets all; of several each its weight, 0 where it has none (Istio, HTTPRouteDestination)."""
    if len(destinations) == 1:
        return [100.0]
    weights = [one.get("weight") or 0 for one in destinations]
    whole = sum(weights)
    return [100 * weight / whole if whole else 0.0 for weight in weights]
