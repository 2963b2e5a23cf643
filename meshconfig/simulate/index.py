"""An index over resources, built once for many lookups."""

from collections.abc import Callable, Iterable, Iterator

from meshconfig.istio import MESH, Gateway, Resources, VirtualService
from meshconfig.istio.destination_rules import DestinationRules
from meshconfig.istio.exports import ALL, visible
from meshconfig.istio.gateway_api import translated, with_gateway_api
from meshconfig.istio.gateways import bound_to
from meshconfig.istio.hosts import covering, covers, fqdn, fqdns, is_wildcard
from meshconfig.istio.resources import by_creation
from meshconfig.istio.routes import NamedRoute, routes
from meshconfig.istio.services import Registry
from meshconfig.simulate.fronts import Fronts, ServerHosts

# Kinds that may change what a proxy does and that the simulation does not model; see `doubts`.
UNMODELLED = frozenset(
    {"EnvoyFilter", "WasmPlugin", "TrafficExtension", "AuthorizationPolicy", "RequestAuthentication"}
)
STREAM_ROUTES = frozenset({"TLSRoute", "TCPRoute"})  # those for connections in which no HTTP is read
GATEWAY_API_ROUTES = STREAM_ROUTES | {"HTTPRoute", "GRPCRoute"}


class _ByHost:
    """VirtualServices by host; wildcard hosts are kept apart."""

    def __init__(self) -> None:
        self.exact: dict[str, list[VirtualService]] = {}
        self.wildcards: dict[str, list[VirtualService]] = {}

    def add(self, host: str, virtual_service: VirtualService) -> None:
        (self.wildcards if is_wildcard(host) else self.exact).setdefault(host, []).append(virtual_service)

    def named(self, host: str) -> list[VirtualService]:
        return (self.wildcards if is_wildcard(host) else self.exact).get(host, [])

    def all(self) -> Iterator[VirtualService]:
        for groups in (self.exact, self.wildcards):
            for group in groups.values():
                yield from group

    def covering(self, host: str) -> Iterator[VirtualService]:
        yield from self.exact.get(host, ())
        for pattern, group in self.wildcards.items():
            if covers(pattern, host):
                yield from group


class Index:
    """Lookups over resources, each in about constant time. Build it once to simulate many requests over them."""

    def __init__(self, resources: Resources) -> None:
        self.given, self.gateway_api = resources, translated(resources)
        self.resources = resources = with_gateway_api(resources, self.gateway_api)
        self.registry = Registry(resources)
        self.fronts = Fronts(resources, list(self.registry.all_workloads()))
        self.servers: list[ServerHosts] = []
        self.servers_by_port: dict[int, list[ServerHosts]] = {}
        self.rules = DestinationRules(resources.destination_rules)
        self.gateways: dict[str, Gateway] = {one.key: one for one in sorted(resources.gateways, key=by_creation)}
        for gateway in self.gateways.values():
            for server in self.fronts.servers(gateway):
                self.servers.append(server)
                for port in server.ports:
                    self.servers_by_port.setdefault(port, []).append(server)
        self.sidecars = sorted((one for one in resources.others if one.kind == "Sidecar"), key=by_creation)
        self.unmodelled = [one for one in resources.others if one.kind in UNMODELLED]
        self.gateway_api_routes = [one for one in resources.others if one.kind in GATEWAY_API_ROUTES]
        self.delegates: dict[str, VirtualService] = {}
        self._by_gateway: dict[str, _ByHost] = {}
        self._routes: dict[str, list[NamedRoute]] = {}
        self._by_key = {one.key: one for one in resources.virtual_services}
        for virtual_service in resources.virtual_services:
            self._add(virtual_service)

    def _add(self, virtual_service: VirtualService) -> None:
        if not virtual_service.spec.hosts:
            self.delegates[virtual_service.key] = virtual_service
            return
        hosts = dict.fromkeys(resolved_hosts(virtual_service))
        for name in bound_to(virtual_service.spec.gateways, virtual_service.namespace):
            group = self._by_gateway.setdefault(name, _ByHost())
            for host in hosts:
                group.add(host, virtual_service)

    def routes(self, virtual_service: VirtualService) -> list[NamedRoute]:
        """The HTTP routes of a VirtualService, with the routes of its delegates merged in."""
        name = virtual_service.key
        if name not in self._routes:
            self._routes[name] = list(routes(virtual_service, self.delegates))
        return self._routes[name]

    def at_gateway(self, gateway: str, host: str, client: str) -> list[VirtualService]:
        """The VirtualServices bound to a Gateway with a host that covers `host`, in pilot's order.

        Parameters:
            gateway: `namespace/name`.
            client: the namespace of the gateway's Pods; only VirtualServices that are exported to it are returned.
        """
        return in_order(self._bound(gateway).covering(host), client)

    def named_at_gateway(self, gateway: str, host: str) -> Iterator[VirtualService]:
        """The VirtualServices that name a Gateway and a host that covers `host`, exported to its Pods or not."""
        return self._bound(gateway).covering(host)

    def of_gateway(self, gateway: str, client: str) -> list[VirtualService]:
        """All VirtualServices bound to a Gateway and exported to the namespace `client`, in pilot's order."""
        return in_order(self._bound(gateway).all(), client)

    def in_mesh(self, host: str, client: str) -> list[VirtualService]:
        """The VirtualServices of the mesh with exactly this host, in pilot's order.

        Parameters:
            host: a host or a wildcard, fully qualified.
            client: the namespace of the sidecars; only VirtualServices that are exported to it are returned.
        """
        return in_order(self._bound(MESH).named(host), client)

    def of_service(
        self, host: str, client: str, imported: Callable[[VirtualService], bool] = lambda one: True
    ) -> list[VirtualService]:
        """The VirtualServices that may take a Service: those with its host, else the first of the longest wildcard.

        Parameters:
            host: the Service's host, fully qualified.
            client: the namespace of the sidecars.
            imported: whether the client's Sidecar resource imports a VirtualService.
        """

        def seen(host: str) -> list[VirtualService]:
            return [one for one in self.in_mesh(host, client) if imported(one)]

        exact = seen(host)
        if any(host == fqdn(written, one.namespace) for one in exact for written in one.spec.hosts):
            return exact
        # Measured: a VirtualService whose host has capital letters takes the Service, but does not keep a wildcard of
        # another VirtualService from taking it too.
        patterns = covering(host, self.mesh_wildcards())
        return in_order([*exact, *next((group[:1] for one in patterns if (group := seen(one))), [])], client)

    def first_of(self, names: Iterable[str], client: str) -> str:
        """Of some VirtualServices by `namespace/name`, the one that pilot takes first for a namespace."""
        return in_order([self._by_key[name] for name in names], client)[0].key

    def with_streams(
        self, host: str, client: str, imported: Callable[[VirtualService], bool] = lambda one: True
    ) -> list[VirtualService]:
        """The VirtualServices whose `tcp` and `tls` routes apply to a Service: all those with a host that covers it.

        A ServiceEntry with a wildcard also has those of the hosts that it covers.
        Source: pilot networking/core/tls.go, getConfigsForHost.
        """
        bound = self._bound(MESH)
        names = [host, *covering(host, bound.wildcards)]
        if is_wildcard(host):
            names += [name for name in (*bound.exact, *bound.wildcards) if covers(host, name)]
        found = (one for name in names for one in bound.named(name))
        return [one for one in in_order(found, client) if imported(one)]

    def mesh_wildcards(self) -> Iterable[str]:
        """The wildcard hosts in the mesh."""
        return self._bound(MESH).wildcards

    def names_in_mesh(self, host: str) -> bool:
        """Whether a VirtualService of the mesh has exactly this host."""
        return bool(self._bound(MESH).named(host))

    def _bound(self, gateway: str) -> _ByHost:
        return self._by_gateway.get(gateway) or _ByHost()


def resolved_hosts(virtual_service: VirtualService) -> tuple[str, ...]:
    """The hosts of a VirtualService: short names fully qualified, in lower case."""
    return fqdns(virtual_service.spec.hosts, virtual_service.namespace)


def in_order(found: Iterable[VirtualService], client: str) -> list[VirtualService]:
    """VirtualServices in pilot's order: private ones, those exported to the namespace by name, then public ones.

    Within each group, older ones come first.

    Source: pilot model/push_context.go, VirtualServicesForGateway.
    """
    seen = {one.key: one for one in found if visible(one.spec.export_to, one.namespace, client)}
    return sorted(seen.values(), key=lambda one: (_rank(one, client), by_creation(one)))


def _rank(virtual_service: VirtualService, client: str) -> int:
    export_to = virtual_service.spec.export_to
    if not export_to or ALL in export_to:
        return 2
    return 0 if virtual_service.namespace == client else 1
