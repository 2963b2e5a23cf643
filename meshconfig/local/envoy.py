"""Translates Istio's resources to an Envoy configuration, so that the local mesh runs what a cluster would. No I/O.

One Envoy stands for every proxy of the mesh. It has a listener for each Gateway port, and one for each port of a
Service, which stands for the outbound side of all proxies that call the service.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.istio import MESH, Gateway, Resource, Resources, Server, VirtualService
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateways import in_mesh, routes_http, served_hosts
from meshconfig.istio.hosts import intersection, is_wildcard, overlap
from meshconfig.istio.labels import is_ours
from meshconfig.istio.services import KnownService, host_of
from meshconfig.local.clusters import clusters
from meshconfig.local.config import Endpoint, EnvoyConfig, Json, Listener, Note, Noted, mesh_listener
from meshconfig.local.outside import addresses
from meshconfig.local.routes import RouteContext, Translated, default_route, last_the_catch_alls, routes
from meshconfig.local.unread import unread
from meshconfig.simulate import Index
from meshconfig.simulate.index import resolved_hosts


def translate(resources: Resources, endpoints: Sequence[Endpoint]) -> EnvoyConfig:
    """The configuration with which one Envoy routes as a mesh with these resources would.

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
        self.index = Index(resources)
        known = [one for one in self.index.registry.by_host.values() if not is_wildcard(one.host)]
        self.services = [(one, port) for one in known for port in one.ports or ()]
        self.notes: dict[Note, None] = {}  # a dict, so that a route of several listeners is noted once, in order

    def config(self) -> EnvoyConfig:
        both = [*self.gateways(), *self.mesh()]
        found = [cluster for service, port in self.services for cluster in self.clusters(service, port)]
        self.unread()
        return EnvoyConfig(
            listeners=tuple(listener for listener, _ in both),
            routes={listener.name: configuration for listener, configuration in both},
            clusters={cluster["name"]: cluster for cluster in found},
            notes=tuple(self.notes),
        )

    def note(self, resource: object, path: str, message: str) -> None:
        self.notes.setdefault(Note(str(resource), path, message))

    def noting(self, resource: object) -> Noted:
        return lambda path, message: self.note(resource, path, message)

    def mesh(self) -> Iterator[tuple[Listener, Json]]:
        made = {host_of(one) for one in self.resources.services if is_ours(one.metadata.labels)}
        for service, port in self.services:
            if service.host in made:
                continue  # a version's Service: nobody calls it by its name
            listener = Listener(mesh_listener(service.host, port), "mesh", port, (service.host,))
            yield listener, _route_configuration(listener.name, {"*": self.mesh_routes(service, port)}, set())

    def mesh_routes(self, service: KnownService, port: int) -> list[Json]:
        """The routes of the first VirtualService for this host that has any; the most specific host comes first."""
        place = RouteContext(self.index, service.namespace, port, MESH)
        for one in self.index.of_service(service.host, service.namespace):
            if found := routes(one, place, self.noting(one)):
                return [each.route for each in found]
        return [default_route(str(ClusterName(service.host, port)))]

    def gateways(self) -> Iterator[tuple[Listener, Json]]:
        """One listener for each selector and port, because Gateways that share both share a proxy."""
        servers: dict[str, list[tuple[Gateway, Server]]] = {}
        for gateway in self.index.gateways.values():
            selector = ",".join(f"{name}={value}" for name, value in sorted(gateway.spec.selector.items()))
            for index, server in enumerate(gateway.spec.servers):
                if self.is_http(gateway, server, index):
                    servers.setdefault(f"gateway|{server.port.number}|{selector}", []).append((gateway, server))
        for name, parts in servers.items():
            hosts = tuple(dict.fromkeys(_hosts(parts)))
            listener = Listener(name, "gateway", parts[0][1].port.number, hosts)
            yield listener, self.gateway_routes(listener, parts)

    def is_http(self, gateway: Gateway, server: Server, index: int) -> bool:
        tls = server.tls
        if not routes_http(server):
            self.note(gateway, f"spec.servers[{index}].port.protocol", "only HTTP is routed here: no listener")
            return False
        if tls and not tls.https_redirect:
            self.note(gateway, f"spec.servers[{index}].tls", "no TLS here: ask for it in plain HTTP")
        return True

    def gateway_routes(self, listener: Listener, parts: Iterable[tuple[Gateway, Server]]) -> Json:
        by_host: dict[str, list[Translated]] = {}
        redirected: set[str] = set()
        for gateway, server in parts:
            served = list(served_hosts(server, gateway.namespace))
            place = RouteContext(self.index, ROOT_NAMESPACE, listener.port, gateway.key)
            for service in self.index.of_gateway(gateway.key, ROOT_NAMESPACE):
                allowed = [one.host for one in served if one.open_to(service.namespace)]
                found = routes(service, place, self.noting(service))
                for host in intersection(allowed, resolved_hosts(service)) if found else ():
                    by_host.setdefault(host.lower(), []).extend(found)
            if server.tls and server.tls.https_redirect:
                redirected |= {one.host.lower() for one in served}
        for host in redirected:
            by_host.setdefault(host, [])
        ordered = {host: last_the_catch_alls(found) for host, found in sorted(by_host.items())}
        return _route_configuration(listener.name, ordered, redirected)

    def clusters(self, service: KnownService, port: int) -> Iterator[Json]:
        rule, uncertain = self.index.rules.select(service.host, service.namespace, service.namespace, None)
        noted = self.noting(f"DestinationRule of {service.host}")
        if uncertain:
            noted("spec.workloadSelector", "all callers share one proxy here: a rule for some of them is left out")
        endpoints = [one for one in self.endpoints if (one.service, one.service_port) == (service.host, port)]
        return clusters(service.host, port, rule, endpoints, noted, self.outside(service.host, port, endpoints))

    def outside(self, host: str, port: int, endpoints: Sequence[Endpoint]) -> list[tuple[str, int]]:
        """The names and ports that a host outside the mesh stands for, where no process of this machine does."""
        entry = next((one for one in self.resources.service_entries if host in one.spec.hosts), None)
        return addresses(entry, host, port) if entry and not endpoints else []

    def unread(self) -> None:
        """Note every field that is not modelled and every unreachable host, so that nothing is dropped silently."""
        parts: tuple[Sequence[Resource[Any]], ...] = (
            self.resources.virtual_services,
            self.resources.destination_rules,
            self.resources.gateways,
        )
        for resource in (one for part in parts for one in part):
            for path in unread(resource.spec, "spec"):
                self.note(resource, path, "is not translated for this machine")
        for service in self.resources.virtual_services:
            for field in ("tcp", "tls"):
                if getattr(service.spec, field):
                    self.note(service, f"spec.{field}", "only HTTP is routed here")
            if in_mesh(service.spec.gateways):
                self.unknown_hosts(service)

    def unknown_hosts(self, service: VirtualService) -> None:
        for index, host in enumerate(resolved_hosts(service)):
            if not any(overlap(host, known.host) for known, _ in self.services):
                self.note(service, f"spec.hosts[{index}]", f"{host} is no Service here: nobody can ask for it")


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


def _hosts(parts: Iterable[tuple[Gateway, Server]]) -> Iterator[str]:
    return (one.host for gateway, server in parts for one in served_hosts(server, gateway.namespace))
