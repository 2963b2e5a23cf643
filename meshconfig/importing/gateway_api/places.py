"""Where routes of the Gateway API count: hosts of Gateways and Services, with the routes that Istio merges there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from meshconfig.importing.said import Unsaid
from meshconfig.istio import MESH, Resources
from meshconfig.istio.gateway_api import Attached, RouteResource
from meshconfig.istio.gateway_api_types import GATEWAY_API, GatewayAPISpec, ParentReference
from meshconfig.istio.resources import Manifest

_HTTP = 80
_NO_HOST = "other listeners take its hosts"
DIFFER = "the listeners of one Gateway have different routes for a host: name a listener (sectionName) in each"
PORTS = "the routes of one Service name its ports in several ways"


@dataclass(slots=True)
class Place:
    """Hosts with the same routes.

    Parameters:
        gateway: `mesh` or `namespace/name`. listener: empty for all listeners of the Gateway.
        routes: the older first. port: of a Service, where its routes name one.
        why: why a spec cannot say that the routes count here, and no others; empty where it can.
    """

    gateway: str
    routes: tuple[RouteResource, ...]
    listener: str = ""
    port: int | None = None
    why: str = ""
    hosts: list[str] = field(default_factory=list)


Row = tuple[str, str]  # a route, by its kind and key, and its listener
ByPort = dict[int | None, dict[Row, None]]


def places(attached: Iterable[Attached], gateways: Mapping[str, GatewayAPISpec]) -> list[Place]:
    """The places of routes, in the order of the routes' age.

    Parameters:
        gateways: those of the Gateway API, by `namespace/name`.
    """
    routes: dict[str, RouteResource] = {}
    found: dict[tuple[str, str], ByPort] = {}
    for one in (each for each in attached if not each.why):
        routes[str(one.route)] = one.route
        ref = one.route.spec.parent_refs[one.parent]
        listener = _listener(ref, gateways[one.gateway]) if one.gateway else ""
        for host in one.hosts:
            by_port = found.setdefault((one.gateway or MESH, host), {})
            by_port.setdefault(one.port, {})[str(one.route), listener] = None
    joined: dict[tuple[object, ...], Place] = {}
    for (gateway, host), by_port in found.items():
        for names, listener, port, why in _of_mesh(by_port) if gateway == MESH else _at_gateway(by_port):
            place = Place(gateway, tuple(routes[name] for name in names), listener, port, why)
            joined.setdefault((gateway, listener, port, why, names), place).hosts.append(host)
    return list(joined.values())


_Found = tuple[tuple[str, ...], str, int | None, str]  # routes, listener, port, why not


def _of_mesh(by_port: ByPort) -> Iterator[_Found]:
    port, *more = by_port
    names = dict.fromkeys(name for rows in by_port.values() for name, _ in rows)
    yield tuple(names), "", port, PORTS if more else ""


def _at_gateway(by_port: ByPort) -> Iterator[_Found]:
    kinds = list(dict.fromkeys(tuple(rows) for rows in by_port.values()))
    listeners = [tuple(dict.fromkeys(listener for _, listener in rows)) for rows in kinds]
    clear = len(kinds) == 1 or all(len(one) == 1 and one[0] for one in listeners)
    for rows, named in zip(kinds, listeners, strict=True):
        fits = clear and len(named) == 1
        yield tuple(name for name, _ in rows), named[0] if fits else "", None, "" if fits else DIFFER


def _listener(ref: ParentReference, gateway: GatewayAPISpec) -> str:
    """The listener that a parentRef names, also by its port if no other listener has that."""
    named = [one.name for one in gateway.listeners if one.port == ref.port]
    return ref.section_name or (named[0] if ref.port and len(named) == 1 else "")


def unattached(attached: Iterable[Attached]) -> Iterator[tuple[RouteResource, Unsaid]]:
    """The routes that come to nothing at one of their parents, with the reason."""
    found: dict[tuple[str, int], list[Attached]] = {}
    for one in attached:
        found.setdefault((str(one.route), one.parent), []).append(one)
    for (name, number), every in found.items():
        if not any(one.hosts and not one.why for one in every):
            route, why = every[0].route, "; ".join(dict.fromkeys(one.why for one in every if one.why)) or _NO_HOST
            place = route.locate("spec", "parentRefs", number)
            yield route, Unsaid(place, f"{name} parentRefs[{number}]", f"it is attached to nothing: {why}")


def assumed(resources: Resources, routes: Iterable[RouteResource]) -> list[Manifest]:
    """A Gateway in the place of each that routes name and that is not given: it serves every host.

    Its ports are those that parentRefs name, and 80, 81 and so on for listeners that have none.
    """
    given = {one.key for one in resources.others if isinstance(one.spec, GatewayAPISpec)}
    wanted: dict[tuple[str, str], dict[tuple[str, int | None], None]] = {}
    for route in routes:
        for ref in route.spec.parent_refs:
            place = ref.namespace or route.namespace, ref.name
            if (ref.group, ref.kind) == (GATEWAY_API, "Gateway") and "/".join(place) not in given:
                wanted.setdefault(place, {})[ref.section_name, ref.port] = None
    allowed = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    return [
        {
            "apiVersion": f"{GATEWAY_API}/v1",
            "kind": "Gateway",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "gatewayClassName": "istio",
                "listeners": [
                    {"name": one, "port": port, "protocol": "HTTP", **allowed} for one, port in _listeners(asked)
                ],
            },
        }
        for (namespace, name), asked in wanted.items()
    ]


def _listeners(asked: Iterable[tuple[str, int | None]]) -> Iterator[tuple[str, int]]:
    """Name and port of each listener. One that a port alone names has no name, so that no spec has one for it."""
    found = {name: port for name, port in asked if name and port}
    taken = {port for _, port in asked if port}
    yield from found.items()
    yield from (("", port) for port in sorted(taken - {*found.values()}))
    free = (port for port in count(_HTTP) if port not in taken)
    names = [name for name, port in asked if not port and name not in found]
    yield from ((name or "http", next(free)) for name in names if name or not taken)
