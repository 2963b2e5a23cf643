"""Istio's resources to an Envoy configuration, pure: what runs on this machine is what Istio would be given.

One Envoy stands for every proxy of the mesh. It has a listener for each Gateway port, and one for each port of a
Service, which stands for the outbound side of that service's callers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.istio import (
    MESH,
    GatewaySpec,
    Resource,
    Resources,
    Server,
    VirtualService,
    fqdn,
    is_mesh,
)
from meshconfig.local.clusters import clusters
from meshconfig.local.config import Endpoint, EnvoyConfig, Json, Listener, Note, Noted, cluster_name, mesh_listener
from meshconfig.local.hosts import bare, by_precedence, intersection, matches, rule_for
from meshconfig.local.routes import Place, default_route, gateway_name, last_the_catch_alls, routes
from meshconfig.local.unread import unread

_PASSED_ON = ("TCP", "TLS", "MONGO")  # protocols of a Gateway's server that are no HTTP


def translate(resources: Resources, endpoints: Sequence[Endpoint]) -> EnvoyConfig:
    """What one Envoy needs to route as a mesh with these resources would.

    Parameters:
        resources: VirtualServices, DestinationRules and Gateways, and the Services or ServiceEntries that say which
            hosts and ports there are.
        endpoints: the processes that answer, at the host and port of a Service.
    """
    return _Translation(resources, endpoints).config()


class _Translation:
    def __init__(self, resources: Resources, endpoints: Sequence[Endpoint]) -> None:
        self.resources = resources
        self.endpoints = endpoints
        self.services = _services(resources)
        self.notes: dict[Note, None] = {}  # a route that several listeners have is noted once

    def config(self) -> EnvoyConfig:
        gateways, mesh = list(self.gateways()), list(self.mesh())
        found = [
            cluster for host, ports in self.services.items() for port in ports for cluster in self.clusters(host, port)
        ]
        self.unread()
        return EnvoyConfig(
            listeners=tuple(listener for listener, _ in gateways + mesh),
            routes={listener.name: configuration for listener, configuration in gateways + mesh},
            clusters={cluster["name"]: cluster for cluster in found},
            notes=tuple(self.notes),
        )

    def noting(self, resource: Resource[Any]) -> Noted:
        return lambda path, message: self.notes.setdefault(Note(str(resource), path, message))

    def mesh(self) -> Iterator[tuple[Listener, Json]]:
        for host, ports in self.services.items():
            for port in ports:
                listener = Listener(mesh_listener(host, port), "mesh", port, (host,))
                found = self.mesh_routes(host, port)
                yield listener, _route_configuration(listener.name, {"*": found}, set())
        for one in self.resources.virtual_services:
            if is_mesh(one.spec):
                self.no_service(one)

    def mesh_routes(self, host: str, port: int) -> list[Json]:
        for service in by_precedence(self.resources.virtual_services, host):
            place = Place(frozenset({MESH}), port, self.services)
            if found := routes(service, place, self.noting(service)):
                return found
        return [default_route(cluster_name(host, port))]

    def no_service(self, service: VirtualService) -> None:
        for index, host in enumerate(service.spec.hosts):
            name = fqdn(host, service.namespace)
            if not any(matches(name, known) for known in self.services):
                self.noting(service)(f"spec.hosts[{index}]", f"{host} is no Service here: nobody can ask for it")

    def gateways(self) -> Iterator[tuple[Listener, Json]]:
        """One listener for each port of each selector: Gateways that share both share the proxy."""
        servers: dict[str, list[tuple[Resource[GatewaySpec], Server]]] = {}
        for gateway in self.resources.gateways:
            selector = ",".join(f"{name}={value}" for name, value in sorted(gateway.spec.selector.items()))
            for index, server in enumerate(gateway.spec.servers):
                if self.is_http(gateway, server, index):
                    servers.setdefault(f"gateway|{server.port.number}|{selector}", []).append((gateway, server))
        for name, parts in servers.items():
            hosts = tuple(dict.fromkeys(bare(host) for _, server in parts for host in server.hosts))
            listener = Listener(name, "gateway", parts[0][1].port.number, hosts)
            yield listener, self.gateway_routes(listener, parts)

    def is_http(self, gateway: Resource[GatewaySpec], server: Server, index: int) -> bool:
        noted, tls = self.noting(gateway), server.tls
        if server.port.protocol.upper() in _PASSED_ON or (tls and tls.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH")):
            noted(f"spec.servers[{index}].port.protocol", "only HTTP is routed here: no listener")
            return False
        if tls and not tls.https_redirect:
            noted(f"spec.servers[{index}].tls", "no TLS here: ask for it in plain HTTP")
        return True

    def gateway_routes(self, listener: Listener, parts: Iterable[tuple[Resource[GatewaySpec], Server]]) -> Json:
        by_host: dict[str, list[Json]] = {}
        redirected: set[str] = set()
        for gateway, server in parts:
            full = f"{gateway.namespace}/{gateway.name}"
            for service in self.resources.virtual_services:
                if full not in {gateway_name(name, service.namespace) for name in service.spec.gateways}:
                    continue
                place = Place(frozenset({full}), listener.port, self.services)
                found = routes(service, place, self.noting(service))
                for host in intersection(server.hosts, service, gateway.namespace) if found else ():
                    by_host.setdefault(host, []).extend(found)
            if server.tls and server.tls.https_redirect:
                redirected |= {bare(host).lower() for host in server.hosts}
        for host in redirected:
            by_host.setdefault(host, [])
        sorted_hosts = {host: last_the_catch_alls(found) for host, found in sorted(by_host.items())}
        return _route_configuration(listener.name, sorted_hosts, redirected)

    def clusters(self, host: str, port: int) -> Iterator[Json]:
        rule = rule_for(self.resources.destination_rules, host)
        endpoints = [one for one in self.endpoints if (one.service, one.service_port) == (host, port)]
        return clusters(host, port, rule, endpoints, self.noting(rule) if rule else _nothing)

    def unread(self) -> None:
        """Fields that the typed view does not know are said to have no effect, never dropped without a word."""
        parts = (self.resources.virtual_services, self.resources.destination_rules, self.resources.gateways)
        for resource in (one for part in parts for one in part):
            for path in unread(resource.spec, "spec"):
                self.noting(resource)(path, "is not translated for this machine")
        for service in self.resources.virtual_services:
            for field in ("tcp", "tls"):
                if getattr(service.spec, field):
                    self.noting(service)(f"spec.{field}", "only HTTP is routed here")
        for rule in self.resources.destination_rules:
            if rule.spec.workload_selector:
                self.noting(rule)("spec.workloadSelector", "all callers share one proxy here: it holds for all")


def _nothing(path: str, message: str) -> None:
    """A service without a DestinationRule has nothing to note."""


def _services(resources: Resources) -> dict[str, tuple[int, ...]]:
    """The ports of each host that a proxy of the mesh would know, as Services or ServiceEntries."""
    found = {
        f"{one.name}.{one.namespace}.svc.cluster.local": tuple(port.port for port in one.spec.ports)
        for one in resources.services
    }
    for entry in resources.service_entries:
        found |= {host: tuple(port.number for port in entry.spec.ports) for host in entry.spec.hosts if "*" not in host}
    return found


def _route_configuration(name: str, by_host: Mapping[str, list[Json]], redirected: set[str]) -> Json:
    hosts = [
        {"name": host, "domains": [host], "routes": found, **({"require_tls": "ALL"} if host in redirected else {})}
        for host, found in by_host.items()
    ]
    return {
        "name": name,
        "virtual_hosts": hosts,
        "ignore_port_in_host_matching": True,
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": 2**20,
    }
