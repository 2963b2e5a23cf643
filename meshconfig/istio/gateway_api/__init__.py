"""What routes and Gateways of the Kubernetes Gateway API become in Istio: VirtualServices and Gateways of its own.

istiod translates them so, and all that follows treats both alike. Routes of one host are merged, and the one that asks
for most goes first.

    attach, status (what istiod has not accepted) → rules → here, where the routes of a host are put in order

Source: istio/istio pilot/pkg/config/kube/gateway (conversion.go, route_collections.go), Istio's master of 2026-08.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from meshconfig.istio.gateway_api.attach import (
    HTTP_PROTOCOLS,
    WAYPOINTS,
    Attached,
    GatewayResource,
    Parents,
    RouteResource,
    allowed_namespaces,
    attached,
    routes_of,
    rules_of,
)
from meshconfig.istio.gateway_api.rules import Backends, Grants, InvalidRouteError, routes
from meshconfig.istio.gateway_api.status import Reported, Unseen, reported
from meshconfig.istio.gateway_api_types import (
    GATEWAY_API,
    GatewayAPISpec,
    GRPCRouteSpec,
    HTTPRouteSpec,
    Listener,
    ReferenceGrantSpec,
)
from meshconfig.istio.gateways import MESH
from meshconfig.istio.hosts import EVERY_HOST
from meshconfig.istio.resources import Gateway, Resource, Resources, VirtualService, by_creation
from meshconfig.istio.types import (
    GatewaySpec,
    HTTPMatchRequest,
    Metadata,
    Port,
    RouteOfGatewayAPI,
    Server,
    ServerTLS,
    View,
    VirtualServiceSpec,
)

__all__ = [
    "Attached",
    "Reported",
    "RouteResource",
    "Translated",
    "is_of_gateway_api",
    "order",
    "rules_of",
    "translated",
    "with_gateway_api",
]

POD_LABEL = "gateway.networking.k8s.io/gateway-name"  # of the Pods that istiod makes for a Gateway
_READ = (HTTPRouteSpec, GRPCRouteSpec, GatewayAPISpec)
_RANKS = (("exact", 3), ("prefix", 2), ("regex", 1))


NO_GRANTS = Grants(frozenset())


@dataclass(frozen=True, slots=True)
class Translated:
    """What the resources of the Gateway API become.

    Parameters:
        attached: where each route is attached, and where it is not.
        invalid: the routes of which istiod takes nothing, and why.
        grants: the leaves for routes to lead to other namespaces.
        reported: what istiod reports against routes of a cluster, by the route.
    """

    virtual_services: tuple[VirtualService, ...]
    gateways: tuple[Gateway, ...]
    attached: tuple[Attached, ...]
    invalid: Mapping[str, str]
    grants: Grants = NO_GRANTS
    reported: Mapping[str, tuple[Reported, ...]] = field(default_factory=dict)


NOTHING = Translated((), (), (), {})


def is_of_gateway_api(one: Resource[View]) -> bool:
    """Whether a resource is a route or a Gateway that is translated here."""
    return isinstance(one.spec, _READ)


def with_gateway_api(resources: Resources, found: Translated) -> Resources:
    """The resources, and what those of the Gateway API among them become."""
    if found is NOTHING:
        return resources
    return replace(
        resources,
        virtual_services=(*resources.virtual_services, *found.virtual_services),
        gateways=(*resources.gateways, *found.gateways),
    )


def translated(resources: Resources) -> Translated:
    """What the resources of the Gateway API among these become."""
    if not any(map(is_of_gateway_api, resources.others)):
        return NOTHING
    parents, unseen = Parents.of(resources), Unseen.of(resources)
    grants = Grants(frozenset(_grants(resources)))
    made: dict[tuple[str, ...], list[tuple[RouteResource, Attached, list[RouteOfGatewayAPI]]]] = {}
    places: list[Attached] = []
    invalid: dict[str, str] = {}
    said: dict[str, tuple[Reported, ...]] = {}
    for route in sorted(routes_of(resources), key=_age):
        if of_route := tuple(reported(route, unseen)):
            said[str(route)] = of_route
        found = [_as_accepted(one, of_route) for one in attached(route, parents)]
        places += found
        try:
            rules = {mesh: [*_rules(route, None if mesh else grants)] for mesh in {not one.gateway for one in found}}
        except InvalidRouteError as error:
            invalid[str(route)] = str(error)
            continue
        for one in (each for each in found if not each.why):
            for host in one.hosts:
                made.setdefault(_key(one, host), []).append((route, one, rules[not one.gateway]))
    ports = {key: len({each.port for each in one.spec.listeners}) > 1 for key, one in parents.gateways.items()}
    return Translated(
        tuple(_virtual_service(key, group, ports) for key, group in made.items()),
        tuple(_gateway(one, parents) for one in parents.gateways.values()),
        tuple(places),
        invalid,
        grants,
        said,
    )


def _as_accepted(found: Attached, said: Iterable[Reported]) -> Attached:
    """A route at a parent for which istiod has not accepted it decides nothing there."""
    for one in said:
        if one.refusal and one.index == found.parent:
            why = found.why or f"istiod has not accepted it: {one.reason}, {one.message}"
            return replace(found, why=why, accepted=False)
    return found


def _age(route: RouteResource) -> tuple[str, str, str]:
    """Sorts the oldest first, then by namespace and name. Source: conversion.go, sortRoutesByCreationTime."""
    created, name, namespace = by_creation(route)
    return created, namespace, name


def _key(one: Attached, host: str) -> tuple[str, ...]:
    """The routes with one key are merged: at a Gateway those of a host, between services those of a namespace too."""
    port = str(one.port or "")
    return (one.gateway, port, host) if one.gateway else ("", one.route.namespace, port, host)


def _rules(route: RouteResource, grants: Grants | None) -> Iterator[RouteOfGatewayAPI]:
    backends = Backends(route.kind, route.namespace, grants)
    for number, rule in enumerate(rules_of(route)):
        yield from routes(rule, f"{route} rules[{number}]", backends)


def _grants(resources: Resources) -> Iterator[tuple[str, str, str, str]]:
    for one in resources.others:
        if isinstance(one.spec, ReferenceGrantSpec):
            services = [to.name for to in one.spec.to if (to.group, to.kind) == ("", "Service")]
            for source in (each for each in one.spec.from_ if each.group == GATEWAY_API):
                yield from ((source.kind, source.namespace, one.namespace, name) for name in services)


def _virtual_service(
    key: tuple[str, ...],
    group: list[tuple[RouteResource, Attached, list[RouteOfGatewayAPI]]],
    ports: Mapping[str, bool],
) -> VirtualService:
    oldest, place, _ = group[0]
    port = place.port if not place.gateway or ports[place.gateway] else None
    found = [_on_port(one, port) for one in order(one for _, _, rules in group for one in rules)]
    # A route in another namespace than its Service's counts for callers of its own namespace.
    private = bool(place.namespace) and place.namespace != oldest.namespace
    spec = VirtualServiceSpec.model_construct(
        hosts=(key[-1],),
        gateways=(place.gateway or MESH,),
        http=tuple(found),
        export_to=(".",) if private else (),
    )
    metadata = Metadata.model_construct(name="~".join(key).replace("/", "~").strip("~"), namespace=oldest.namespace)
    return Resource("VirtualService", metadata, spec, {"metadata": oldest.manifest.get("metadata")}, oldest.source)


def _on_port(route: RouteOfGatewayAPI, port: int | None) -> RouteOfGatewayAPI:
    if port is None:
        return route
    matches = route.match or (HTTPMatchRequest.model_construct(),)
    return route.model_copy(update={"match": tuple(one.model_copy(update={"port": port}) for one in matches)})


def order(found: Iterable[RouteOfGatewayAPI]) -> list[RouteOfGatewayAPI]:
    """The routes of a host in the order in which they are tried.

    Source: conversion.go, sortHTTPRoutes.
    """
    return sorted(found, key=_rank, reverse=True)  # stable: sorted keeps the order of equals also in reverse


def _rank(route: RouteOfGatewayAPI) -> tuple[int, int, bool, int, int]:
    if not route.match:
        return -2, 0, False, 0, 0
    match = route.match[0]
    place, length = -1, 0
    for kind, rank in _RANKS if match.uri else ():
        if (value := getattr(match.uri, kind)) is not None:
            place, length = rank, len(value.encode())
    return place, length, match.method is not None, len(match.headers), len(match.query_params)


def _gateway(one: GatewayResource, parents: Parents) -> Gateway:
    """Istio's Gateway of one of the Gateway API. A waypoint serves no host."""
    listeners = () if one.spec.gateway_class_name in WAYPOINTS else one.spec.listeners
    servers = tuple(_server(each, one, parents) for each in listeners)
    spec = GatewaySpec.model_construct(selector={POD_LABEL: one.name}, servers=servers)
    return Resource(one.kind, one.metadata, spec, one.manifest, one.source)


def _server(listener: Listener, gateway: GatewayResource, parents: Parents) -> Server:
    host = listener.hostname or EVERY_HOST
    if listener.allowed_routes.namespaces.from_ == "All":
        hosts = [f"*/{host}"]
    else:
        asked = {gateway.namespace, *parents.namespaces}
        hosts = [f"{space}/{host}" for space in sorted(allowed_namespaces(listener, gateway, parents, asked))]
    tls = None
    if listener.protocol not in ("HTTP", "TCP"):
        passes = listener.tls is not None and listener.tls.mode == "Passthrough"
        tls = ServerTLS.model_construct(mode="PASSTHROUGH" if passes else "SIMPLE")
    protocol = listener.protocol if listener.protocol in HTTP_PROTOCOLS else "TCP" if tls is None else "TLS"
    port = Port.model_construct(number=listener.port, name=listener.name, protocol=protocol)
    return Server.model_construct(name=listener.name, port=port, hosts=tuple(hosts), tls=tls)
