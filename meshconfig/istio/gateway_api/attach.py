"""Where routes of the Gateway API are attached: to Services, to listeners, or to nothing, and why.

Source: istio/istio pilot/pkg/config/kube/gateway/conversion.go (referenceAllowed, extractParentReferenceInfo,
hostnameAllowedByIsolation, namespacesFromSelector).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from meshconfig.istio.gateway_api_types import (
    GATEWAY_API,
    GatewayAPISpec,
    GRPCRouteRule,
    GRPCRouteSpec,
    HTTPRouteSpec,
    Listener,
    ParentReference,
    RouteRule,
)
from meshconfig.istio.hosts import EVERY_HOST, ServiceName, covers, is_wildcard, overlap
from meshconfig.istio.resources import ISTIO_GROUP, Resource, Resources
from meshconfig.istio.services import whole_namespaces
from meshconfig.istio.types import View

HTTP_PROTOCOLS = ("HTTP", "HTTPS")
_NAME_LABEL = "kubernetes.io/metadata.name"
# Classes of Gateways that are no ingress: what they listen for are the mesh's own connections.
WAYPOINTS = ("istio-waypoint", "istio-east-west", "istio-remote")

RouteResource = Resource[HTTPRouteSpec] | Resource[GRPCRouteSpec]
GatewayResource = Resource[GatewayAPISpec]


@dataclass(frozen=True, slots=True)
class Attached:
    """A route at one parent, or not.

    Parameters:
        parent: the index of the route's parentRef.
        gateway: `namespace/name` of the Gateway; empty for a Service.
        port: the port of the Service or the listener; None for every port of a Service.
        hosts: the hosts for which it counts there.
        namespace: the namespace of the Service; empty at a Gateway.
        why: why it is not attached; empty where it is.
        accepted: False where istiod has judged the route and does not accept it here.
    """

    route: RouteResource
    parent: int
    gateway: str = ""
    port: int | None = None
    hosts: tuple[str, ...] = ()
    namespace: str = ""
    why: str = ""
    accepted: bool = True


@dataclass(frozen=True)
class Parents:
    """What routes can be attached to.

    Parameters:
        whole: the namespaces of which every Service is given.
    """

    gateways: Mapping[str, GatewayResource]
    services: frozenset[str]
    entries: Mapping[str, tuple[str, ...]]
    whole: frozenset[str]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Resources) -> "Parents":
        """The parents among resources."""
        return cls(
            {one.key: one for one in resources.others if _is_gateway(one)},
            frozenset(one.key for one in resources.services),
            {one.key: one.spec.hosts for one in resources.service_entries},
            whole_namespaces(resources),
            {one.name: one.metadata.labels for one in resources.namespaces},
        )


def routes_of(resources: Resources) -> list[RouteResource]:
    """The HTTPRoutes and GRPCRoutes that can be read."""
    return [one for one in resources.others if _is_route(one)]


def _is_route(one: Resource[View]) -> TypeGuard[RouteResource]:
    return isinstance(one.spec, HTTPRouteSpec | GRPCRouteSpec)


def _is_gateway(one: Resource[View]) -> TypeGuard[GatewayResource]:
    return isinstance(one.spec, GatewayAPISpec)


def rules_of(route: RouteResource) -> tuple[RouteRule | GRPCRouteRule, ...]:
    """The rules of a route."""
    return route.spec.rules


def attached(route: RouteResource, parents: Parents) -> Iterator[Attached]:
    """The places where a route is attached, and its parentRefs that come to nothing."""
    for number, ref in enumerate(route.spec.parent_refs):
        if (ref.group, ref.kind) == (GATEWAY_API, "Gateway"):
            yield from _at_gateway(route, number, ref, parents)
        elif (ref.group, ref.kind) in (("", "Service"), (ISTIO_GROUP, "ServiceEntry")):
            yield _between_services(route, number, ref, parents)
        elif ref.kind == "Service":
            yield Attached(route, number, why='a Service needs group: "", as a missing group means Gateway API\'s own')
        else:
            yield Attached(route, number, why=f"Istio attaches no route to a {ref.kind} of {ref.group or 'core'}")


def _between_services(route: RouteResource, number: int, ref: ParentReference, parents: Parents) -> Attached:
    namespace = ref.namespace or route.namespace
    key = f"{namespace}/{ref.name}"
    if ref.kind == "ServiceEntry":
        if key not in parents.entries:
            return Attached(route, number, why=f"there is no ServiceEntry {key}")
        hosts = tuple(host.lower() for host in parents.entries[key])
        return Attached(route, number, port=ref.port, hosts=hosts, namespace=namespace)
    if key not in parents.services and namespace in parents.whole:
        return Attached(route, number, why=f"there is no Service {key}")
    host = ServiceName(ref.name, namespace).host
    return Attached(route, number, port=ref.port, hosts=(host,), namespace=namespace)


def _at_gateway(route: RouteResource, number: int, ref: ParentReference, parents: Parents) -> Iterator[Attached]:
    key = f"{ref.namespace or route.namespace}/{ref.name}"
    gateway = parents.gateways.get(key)
    if gateway is None:
        yield Attached(route, number, key, why=f"there is no Gateway {key}")
        return
    if gateway.spec.gateway_class_name in WAYPOINTS:
        yield Attached(route, number, key, why=f"Gateway {key} is of class {gateway.spec.gateway_class_name}")
        return
    refused: dict[str, None] = {}
    found = False
    for listener in gateway.spec.listeners:
        if why := _refused(route, ref, listener, gateway, parents):
            refused[why] = None
            continue
        found = True
        hosts = tuple(_hosts(route.spec.hostnames or (EVERY_HOST,), listener, gateway.spec.listeners))
        yield Attached(route, number, key, listener.port, hosts)
    if not found:
        yield Attached(route, number, key, why="; ".join(refused) or f"Gateway {key} has no listener")


def _refused(
    route: RouteResource, ref: ParentReference, listener: Listener, gateway: GatewayResource, parents: Parents
) -> str:
    """Why a route is not attached to a listener; empty where it is."""
    if ref.section_name and ref.section_name != listener.name:
        return f"Gateway {gateway.key} has no listener {ref.section_name}"
    if ref.port and ref.port != listener.port:
        return f"Gateway {gateway.key} has no listener on port {ref.port}"
    if listener.protocol not in HTTP_PROTOCOLS or (listener.tls and listener.tls.mode == "Passthrough"):
        return f"the listener {listener.name} of Gateway {gateway.key} reads no HTTP"
    kinds = [one.kind for one in listener.allowed_routes.kinds]
    if kinds and route.kind not in kinds:
        return f"the listener {listener.name} of Gateway {gateway.key} takes no {route.kind}"
    hostnames = route.spec.hostnames or (EVERY_HOST,)
    if listener.hostname and not any(overlap(listener.hostname, host) for host in hostnames):
        shown = ", ".join(hostnames)
        return f"the listener {listener.name} of Gateway {gateway.key} is for {listener.hostname}, and not for {shown}"
    if route.namespace not in allowed_namespaces(listener, gateway, parents, (route.namespace,)):
        return f"the listener {listener.name} of Gateway {gateway.key} takes no routes of namespace {route.namespace}"
    return ""


def allowed_namespaces(
    listener: Listener, gateway: GatewayResource, parents: Parents, asked: Iterable[str]
) -> frozenset[str]:
    """Those of some namespaces whose routes a listener takes."""
    allowed = listener.allowed_routes.namespaces
    if allowed.from_ == "All":
        return frozenset(asked)
    if allowed.from_ == "Selector":
        return frozenset(one for one in asked if _selects(allowed.selector or {}, _labels(one, parents)))
    return frozenset(one for one in asked if one == gateway.namespace)


def _labels(namespace: str, parents: Parents) -> Mapping[str, str]:
    return {_NAME_LABEL: namespace, **parents.namespaces.get(namespace, {})}


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes an object with these labels. Source: Kubernetes, LabelSelector."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _hosts(hostnames: Iterable[str], listener: Listener, others: Iterable[Listener]) -> Iterator[str]:
    """The hosts for which a route counts at a listener: not those of a listener beside it that fits better."""
    ours = listener.hostname.lower() or EVERY_HOST
    better = [
        one.hostname.lower() or EVERY_HOST
        for one in others
        if one is not listener and (one.port, one.protocol) == (listener.port, listener.protocol)
    ]
    for host in (one.lower() for one in hostnames):
        if not overlap(ours, host):
            continue
        common = host if covers(ours, host) else ours
        isolated = is_wildcard(ours) and any(
            len(other) >= len(ours) and other != ours and covers(other, host) for other in better
        )
        if not isolated:
            yield common
