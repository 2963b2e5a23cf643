"""Routes of the Gateway API in the words of Istio, so that import reads both alike.

    places (which routes count for which hosts) + versions (which Services are versions of which)
        → tables (the rules in one order, `elements`: paths as a spec has them) → VirtualServices and DestinationRules

What is imported of them becomes a spec with `backend: gateway`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.backend.gateway.ranks import GRPC_ROUTE
from meshconfig.importing.gateway_api.places import Place, assumed, places, unattached
from meshconfig.importing.gateway_api.tables import Tables
from meshconfig.importing.gateway_api.versions import PodPorts, Version, led, pod_ports, versions
from meshconfig.importing.group import Found
from meshconfig.importing.merged import Merged
from meshconfig.importing.said import Unsaid
from meshconfig.istio import MESH, DestinationRule, Resource, Resources, Service, VirtualService
from meshconfig.istio.gateway_api import RouteResource, translated
from meshconfig.istio.gateway_api.attach import routes_of
from meshconfig.istio.gateway_api_types import GatewayAPISpec
from meshconfig.istio.hosts import ServiceName, fqdn
from meshconfig.istio.resources import by_creation
from meshconfig.istio.types import DestinationRuleSpec, Metadata
from meshconfig.model import Name

__all__ = ["InWordsOfIstio", "in_words_of_istio", "with_gateways"]

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InWordsOfIstio:
    """Routes of the Gateway API, said in Istio's words.

    Parameters:
        resources: VirtualServices and DestinationRules that stand for routes and Services, and what is around them.
        pod_ports: the ports of Pods, by the host and the port of a service.
        unattached: the routes that come to nothing at a parent, and why.
    """

    resources: Resources
    pod_ports: PodPorts
    unattached: tuple[tuple[RouteResource, Unsaid], ...]

    def finish(self, value: Value, found: Found) -> Value:
        """A document for the backend `gateway`: with the selectors and ports of the services' own Services."""
        services = {_named(one): one for one in self.resources.services}
        whole = dict(value["spec"]["services"])
        for one in found.services.values():
            said: Value = {}
            if own := services.get(Name(one.key.namespace, one.key.name)):
                said |= {"selector": dict(own.spec.selector)} if own.spec.selector else {}
            ports = self.pod_ports.get((one.host, one.port or 0), set())
            if len(ports) == 1 and (target := next(iter(ports))) != one.port:
                said["targetPort"] = target
            if self._speaks_grpc(one.host):
                said["protocol"] = "grpc"
            given = whole[one.name]
            whole[one.name] = {"host": given["host"], "port": given["port"], **said, **given}
        return {**value, "spec": {"backend": "gateway", **value["spec"], "services": whole}}

    def _speaks_grpc(self, host: str) -> bool:
        return any(
            one.parts[0].kind == "GRPCRoute"
            for one in self.resources.virtual_services
            if isinstance(one, Merged) and MESH in one.spec.gateways and host in one.spec.hosts
        )


def _named(service: Service) -> Name:
    return Name(service.namespace, service.name)


def with_gateways(resources: Resources) -> tuple[Resources, dict[str, tuple[int, ...]]]:
    """The resources with a Gateway in the place of each that routes name and that is not given.

    Returns:
        also the ports of these Gateways, by `namespace/name`.
    """
    made = Resources.parse(assumed(resources, routes_of(resources))).others
    ports = {
        one.key: tuple(each.port for each in one.spec.listeners) for one in made if isinstance(one.spec, GatewayAPISpec)
    }
    return replace(resources, others=(*resources.others, *made)), ports


def in_words_of_istio(resources: Resources, tag: str = "") -> InWordsOfIstio:
    """The routes of the Gateway API among resources. VirtualServices of others are left out.

    Parameters:
        tag: the name of the tag's header; empty while it is not known.
    """
    whole = translated(resources)
    routes = sorted(routes_of(resources), key=by_creation)
    known = versions(resources, routes)
    gateways = {one.key: one.spec for one in resources.others if isinstance(one.spec, GatewayAPISpec)}
    found = places(whole.attached, gateways)
    services = {_named(one): one for one in resources.services}
    ports = pod_ports(resources, routes, known)
    grpc = (one for one in found if one.gateway == MESH and any(route.kind == GRPC_ROUTE for route in one.routes))
    hosts = frozenset(host for one in grpc for host in one.hosts)
    tables = Tables(known, services, _components(found), tag, hosts, ports)
    made: list[VirtualService] = [tables.merged(place) for place in found]
    rules = [*_rules(resources, known, routes)]
    said = replace(
        resources,
        virtual_services=tuple(made),
        destination_rules=tuple(rules),
        gateways=(*resources.gateways, *whole.gateways),
        others=(),
    )
    return InWordsOfIstio(said, ports, tuple(unattached(whole.attached)))


def _components(found: Iterable[Place]) -> dict[str, str]:
    """For each route the name of all that Istio merges with it, directly or by others: the first of them."""
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for place in found:
        names = [str(route) for route in place.routes]
        for name in names:
            leader.setdefault(name, name)
        for name in names[1:]:
            leader[first(name)] = first(names[0])
    return {name: first(name) for name in leader}


def _rules(
    resources: Resources, known: Mapping[Name, Version], routes: Iterable[RouteResource]
) -> Iterator[DestinationRule]:
    """A DestinationRule for each service, with a subset for each Service of a version."""
    of_host: dict[str, list[Name]] = {}
    for name, one in known.items():
        of_host.setdefault(one.host, []).append(name)
    for name in led(routes):
        if name not in known:
            of_host.setdefault(ServiceName(name.name, name.namespace).host, [])
    for host, names in of_host.items():
        whole = Name(*reversed(host.split(".")[:2]))
        given = {name: rule for name in (*names, whole) if (rule := _rule_of(resources, name))}
        policies = {name: rule.spec.traffic_policy or {} for name, rule in given.items()}
        shared = policies.get(names[0] if names else whole, {})
        subsets = [
            {
                "name": known[name].name,
                "labels": dict(known[name].labels),
                **({"trafficPolicy": policy} if (policy := policies.get(name, {})) != shared else {}),
            }
            for name in names
        ]
        parts: list[Resource[Any]] = [*given.values()]
        parts = parts or [one for one in resources.services if _named(one) in names]
        if parts:
            yield _merged_rule(host, whole, subsets, shared, parts)


def _rule_of(resources: Resources, name: Name) -> DestinationRule | None:
    host = ServiceName(name.name, name.namespace).host
    rules = (one for one in resources.destination_rules if one.namespace == name.namespace)
    return next((one for one in rules if fqdn(one.spec.host, one.namespace).lower() == host), None)


def _merged_rule(
    host: str, whole: Name, subsets: list[Value], policy: Mapping[str, Any], parts: Sequence[Resource[Any]]
) -> DestinationRule:
    # What a spec cannot say of one of them, such as exportTo, it cannot say of the whole.
    rules = (one for one in parts if one.kind == "DestinationRule")
    further = {name: value for one in rules for name, value in (one.manifest.get("spec") or {}).items()}
    spec = {**further, "host": host, "subsets": subsets, "trafficPolicy": dict(policy)}
    manifest = {"metadata": {"name": whole.name, "namespace": whole.namespace}, "spec": spec}
    metadata = Metadata.model_construct(name=whole.name, namespace=whole.namespace)
    view = DestinationRuleSpec.model_validate(spec)
    return Merged("DestinationRule", metadata, view, manifest, parts=tuple(parts))
