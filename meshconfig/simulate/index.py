"""A set of resources, sorted once for many lookups."""

from collections.abc import Iterator

from meshconfig.istio import MESH, Gateway, Resources, VirtualService, fqdn
from meshconfig.simulate.delegates import NamedRoute, key, routes
from meshconfig.simulate.hosts import gateway_name, is_wildcard, visible
from meshconfig.simulate.order import by_creation
from meshconfig.simulate.registry import Registry
from meshconfig.simulate.rules import DestinationRules

# Kinds that change what a proxy does to a request and that are not modelled: see `doubts`.
UNMODELLED = frozenset(
    {"EnvoyFilter", "WasmPlugin", "TrafficExtension", "AuthorizationPolicy", "RequestAuthentication"}
)


class Index:
    """Lookups over resources, each in about constant time; to build once where many requests are asked of the same."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.registry = Registry(resources)
        self.rules = DestinationRules(resources.destination_rules)
        self.gateways: dict[str, Gateway] = {
            f"{one.namespace}/{one.name}": one for one in sorted(resources.gateways, key=by_creation)
        }
        others = sorted(resources.others, key=by_creation)
        self.sidecars = [one for one in others if one.kind == "Sidecar"]
        self.unmodelled = [one for one in others if one.kind in UNMODELLED]
        self.delegates: dict[str, VirtualService] = {}
        self._mesh_exact: dict[str, list[VirtualService]] = {}
        self._mesh_wildcards: dict[str, list[VirtualService]] = {}
        self._at_gateways: dict[str, list[VirtualService]] = {}
        self._routes: dict[str, list[NamedRoute]] = {}
        for virtual_service in sorted(resources.virtual_services, key=by_creation):
            self._add(virtual_service)

    def _add(self, virtual_service: VirtualService) -> None:
        spec, namespace = virtual_service.spec, virtual_service.namespace
        if not spec.hosts:
            self.delegates[key(virtual_service)] = virtual_service
            return
        for name in dict.fromkeys(gateway_name(one, namespace) for one in spec.gateways or (MESH,)):
            if name != MESH:
                self._at_gateways.setdefault(name, []).append(virtual_service)
                continue
            for host in dict.fromkeys(resolved_hosts(virtual_service)):
                found = self._mesh_wildcards if is_wildcard(host) else self._mesh_exact
                found.setdefault(host, []).append(virtual_service)

    def routes(self, virtual_service: VirtualService) -> list[NamedRoute]:
        """Its HTTP routes, delegates merged in."""
        name = key(virtual_service)
        if name not in self._routes:
            self._routes[name] = list(routes(virtual_service, self.delegates))
        return self._routes[name]

    def at_gateway(self, gateway: str, client: str) -> list[VirtualService]:
        """Those bound to a Gateway that its Pods' namespace may see, in pilot's order."""
        return _in_order(self._at_gateways.get(gateway, []), client)

    def in_mesh(self, host: str, client: str) -> list[VirtualService]:
        """Those with this very host (a wildcard is one) that a namespace's sidecars see, in pilot's order."""
        found = self._mesh_wildcards if is_wildcard(host) else self._mesh_exact
        return _in_order(found.get(host, []), client)

    def mesh_wildcards(self) -> Iterator[str]:
        """The wildcard hosts in the mesh."""
        return iter(self._mesh_wildcards)

    def names_in_mesh(self, host: str) -> bool:
        return host in self._mesh_exact


def resolved_hosts(virtual_service: VirtualService) -> tuple[str, ...]:
    """The hosts of a VirtualService: short names fully qualified, in lower case."""
    return tuple(fqdn(host, virtual_service.namespace).lower() for host in virtual_service.spec.hosts)


def _in_order(found: list[VirtualService], client: str) -> list[VirtualService]:
    """Private ones first, then those exported to the namespace by name, then the public; the oldest first in each.

    Source: pilot model/push_context.go, VirtualServicesForGateway.
    """
    seen = [one for one in found if visible(one.spec.export_to, one.namespace, client)]
    return sorted(seen, key=lambda one: _rank(one, client))


def _rank(virtual_service: VirtualService, client: str) -> int:
    export_to = virtual_service.spec.export_to
    if not export_to or "*" in export_to:
        return 2
    return 0 if virtual_service.namespace == client else 1
