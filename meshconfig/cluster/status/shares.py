"""Which version gets which share, by the live route tables."""

from collections.abc import Iterable, Mapping, Sequence

from meshconfig.cluster.status.status import EntryState, How, Lane, Share
from meshconfig.draws import draws
from meshconfig.model import Entry, Route, RouteId, RouteKind, RouteTable, RoutingState, Service, SetTag, Target
from meshconfig.spec import ServiceInGroup

DEFAULT = RouteId(RouteKind.DEFAULT)


def lanes(service: Service, spec: ServiceInGroup, live: RoutingState) -> tuple[Lane, ...]:
    """Each lane's version of the service, and last what untagged requests get."""
    table = live.mesh.get(service.resource)
    names = list(spec.group.spec.lanes)
    if table is None:
        return tuple(Lane(name, How.NONE, ()) for name in [*names, None])
    routes = _routes(table)
    runtime = {subset.name: subset.version for subset in service.subsets if subset.failover}
    untagged = _shares(service, routes.get(DEFAULT), runtime)
    found = (_lane(service, name, routes.get(RouteId(RouteKind.LANE, name)), runtime, untagged) for name in names)
    return (*found, Lane(None, How.OWN, untagged))


def _lane(
    service: Service, name: str, route: Route | None, runtime: Mapping[str, str], untagged: tuple[Share, ...]
) -> Lane:
    if route is None:
        return Lane(name, How.FALLBACK, untagged)
    if route.refusal or "directResponse" in route.fields:
        return Lane(name, How.REFUSED, ())
    how = How.RUNTIME if any(target.subset in runtime for target in route.targets) else How.OWN
    return Lane(name, how, _shares(service, route, runtime))


def copies(service: Service, live: RoutingState) -> tuple[Share, ...]:
    """The versions that get copies of untagged requests, each with the share that is copied."""
    table = live.mesh.get(service.resource)
    route = next((one for one in table.routes if not one.conditions), None) if table else None
    mirrors = route.fields.get("mirrors") or () if route else ()
    return tuple(
        Share((one.get("destination") or {}).get("subset") or "any", (one.get("percentage") or {}).get("value", 100))
        for one in mirrors
    )


def entry(one: Entry, live: RoutingState) -> EntryState:
    """How the entry's first path splits untagged requests over lanes, and which ways a browser has into lanes."""
    table = live.entries.get(one.resource)
    route = _routes(table).get(DEFAULT) if table else None
    targets = route.targets if route else ()
    tags = [target.tag.value for target in targets if isinstance(target.tag, SetTag)]
    splits = len({*tags}) > 1 and len(tags) == len(targets)
    split = _summed(zip(tags, _percents(targets), strict=True)) if splits else {}
    return EntryState(
        one.hosts, tuple(split.items()), _doors(one, table, live), next(draws(table), None) if table else None
    )


def _doors(one: Entry, table: RouteTable | None, live: RoutingState) -> dict[str, tuple[str, ...]]:
    found = {
        kind.value: tuple(dict.fromkeys(route.id.key for route in table.routes if route.id.kind is kind))
        for kind in (RouteKind.COOKIE, RouteKind.LINK)
        if table
    }
    found["host"] = tuple(host.lane for host in one.lane_hosts if host.resource in live.entries)
    return {way: named for way, lanes in found.items() if (named := tuple(lane for lane in lanes if lane))}


def _routes(table: RouteTable) -> dict[RouteId, Route]:
    """By identity, the first of each: a later one of the same identity is for other paths."""
    found: dict[RouteId, Route] = {}
    for route in table.routes:
        found.setdefault(route.id, route)
    return found


def _shares(service: Service, route: Route | None, runtime: Mapping[str, str]) -> tuple[Share, ...]:
    targets = route.targets if route else ()
    names = [runtime.get(target.subset, service.version_of(target)) or "any" for target in targets]
    return tuple(Share(*pair) for pair in _summed(zip(names, _percents(targets), strict=True)).items())


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, percent in pairs:
        found[name] = found.get(name, 0.0) + percent
    return found


def _percents(targets: Sequence[Target]) -> list[float]:
    """One target gets all; of several each its weight, 0 where it has none (Istio, HTTPRouteDestination)."""
    if len(targets) == 1:
        return [100.0]
    weights = [target.weight or 0 for target in targets]
    whole = sum(weights)
    return [100 * weight / whole if whole else 0.0 for weight in weights]
