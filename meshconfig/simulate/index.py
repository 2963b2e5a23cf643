"""A set of resources, sorted once for many lookups."""

from collections.abc import Iterable, Iterator

from meshconfig.istio import MESH, Gateway, Resources, VirtualService, fqdn
from meshconfig.simulate.delegates import NamedRoute, key, routes
from meshconfig.simulate.hosts import covers, gateway_name, is_wildcard, visible
from meshconfig.simulate.order import by_creation
from meshconfig.simulate.registry import Registry
from meshconfig.simulate.rules import DestinationRules

# Kinds that change what a proxy does to a request and that are not modelled: see `doubts`.
UNMODELLED = frozenset(
    {"EnvoyFilter", "WasmPlugin", "TrafficExtension", "AuthorizationPolicy", "RequestAuthentication"}
)


class _ByHost:
    """VirtualServices by host; wildcards apart."""

    def __init__(self) -> None:
        self.exact: dict[str, list[VirtualService]] = {}
        self.wildcards: dict[str, list[VirtualService]] = {}

    def add(self, host: str, virtual_service: VirtualService) -> None:
        (self.wildcards if is_wildcard(host) else self.exact).setdefault(host, []).append(virtual_service)

    def named(self, host: str) -> list[VirtualService]:
        return (self.wildcards if is_wildcard(host) else self.exact).get(host, [])

    def covering(self, host: str) -> Iterator[VirtualService]:
        yield from self.exact.get(host, ())
        for pattern, group in self.wildcards.items():
            if covers(pattern, host):
                yield from group


class Index:
    """Lookups over resources, each in about constant time; to build once where many requests are asked of the same."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.registry = Registry(resources)
        self.rules = DestinationRules(resources.destination_rules)
        self.gateways: dict[str, Gateway] = {
            f"{one.namespace}/{one.name}": one for one in sorted(resources.gateways, key=by_creation)
        }
        self.sidecars = sorted((one for one in resources.others if one.kind == "Sidecar"), key=by_creation)
        self.unmodelled = [one for one in resources.others if one.kind in UNMODELLED]
        self.delegates: dict[str, VirtualService] = {}
        self._by_gateway: dict[str, _ByHost] = {}
        self._routes: dict[str, list[NamedRoute]] = {}
        for virtual_service in resources.virtual_services:
            self._add(virtual_service)

    def _add(self, virtual_service: VirtualService) -> None:
        spec, namespace = virtual_service.spec, virtual_service.namespace
        if not spec.hosts:
            self.delegates[key(virtual_service)] = virtual_service
            return
        hosts = dict.fromkeys(resolved_hosts(virtual_service))
        for name in {gateway_name(one, namespace) for one in spec.gateways or (MESH,)}:
            group = self._by_gateway.setdefault(name, _ByHost())
            for host in hosts:
                group.add(host, virtual_service)

    def routes(self, virtual_service: VirtualService) -> list[NamedRoute]:
        """Its HTTP routes, delegates merged in."""
        name = key(virtual_service)
        if name not in self._routes:
            self._routes[name] = list(routes(virtual_service, self.delegates))
        return self._routes[name]

    def at_gateway(self, gateway: str, host: str, client: str) -> list[VirtualService]:
        """Those bound to a Gateway with a host that covers this one, as a namespace sees them, in pilot's order."""
        return in_order(self._bound(gateway).covering(host), client)

    def in_mesh(self, host: str, client: str) -> list[VirtualService]:
        """Those with this very host (a wildcard is one) that a namespace's sidecars see, in pilot's order."""
        return in_order(self._bound(MESH).named(host), client)

    def mesh_wildcards(self) -> Iterable[str]:
        """The wildcard hosts in the mesh."""
        return self._bound(MESH).wildcards

    def names_in_mesh(self, host: str) -> bool:
        """Has a VirtualService of the mesh this very host?"""
        return bool(self._bound(MESH).named(host))

    def _bound(self, gateway: str) -> _ByHost:
        return self._by_gateway.get(gateway) or _ByHost()


def resolved_hosts(virtual_service: VirtualService) -> tuple[str, ...]:
    """The hosts of a VirtualService: short names fully qualified, in lower case."""
    return tuple(fqdn(host, virtual_service.namespace).lower() for host in virtual_service.spec.hosts)


def in_order(found: Iterable[VirtualService], client: str) -> list[VirtualService]:
    """Private ones first, then those exported to the namespace by name, then the public; the oldest first in each.

    Source: pilot model/push_context.go, VirtualServicesForGateway.
    """
    seen = {key(one): one for one in found if visible(one.spec.export_to, one.namespace, client)}
    return sorted(seen.values(), key=lambda one: (_rank(one, client), by_creation(one)))


def _rank(virtual_service: VirtualService, client: str) -> int:
    export_to = virtual_service.spec.export_to
    if not export_to or "*" in export_to:
        return 2
    return 0 if virtual_service.namespace == client else 1
