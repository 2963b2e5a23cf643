"""What a VirtualService is bound to (`gateways`), and what a Gateway's server takes: hosts and protocol.

Source: Istio, VirtualService.gateways; pilot model/config.go (resolveGatewayName), model/gateway.go, and
pkg/config/gateway.
"""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from meshconfig.istio import ports
from meshconfig.istio.hosts import HostMap

if TYPE_CHECKING:
    from meshconfig.istio.types import Server

MESH = "mesh"  # Istio's reserved gateway name for "all sidecars"
HTTPS = "https"


def in_mesh(names: Collection[str] | None) -> bool:
    """True where a VirtualService with these `gateways` applies to sidecars. Without any, it does."""
    return not names or MESH in names


def at_gateways(names: Iterable[str] | None) -> tuple[str, ...]:
    """Those of the `gateways` that are Gateways, as they were written."""
    return tuple(name for name in names or () if name != MESH)


def gateway_name(name: str, namespace: str) -> str:
    """A Gateway's name in a VirtualService as `namespace/name`; `mesh` stays.

    Source: pilot model/config.go, resolveGatewayName.
    """
    if name == MESH:
        return name
    if "/" in name:
        before, _, after = name.partition("/")
        return f"{namespace}/{after}" if before == "." else name
    if "." in name:
        first, _, rest = name.partition(".")
        return f"{rest.partition('.')[0]}/{first}"
    return f"{namespace}/{name}"


def bound_to(names: Iterable[str], namespace: str) -> frozenset[str]:
    """The Gateways of a VirtualService, each as `namespace/name`, and `mesh` where it applies to sidecars."""
    return frozenset(gateway_name(name, namespace) for name in names) or frozenset((MESH,))


class ServedHost(NamedTuple):
    """A host of a Gateway's server. `owner`: the one namespace whose VirtualServices may use it; empty for any."""

    owner: str
    host: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.host}" if self.owner else self.host

    def open_to(self, namespace: str) -> bool:
        """True where a VirtualService of this namespace may use the host."""
        return self.owner in ("", namespace)


def served_host(entry: str, namespace: str) -> ServedHost:
    """An entry of a server's `hosts`, of a Gateway in `namespace`: `ns/host`, `./host`, `*/host` or `host`."""
    owner, _, host = entry.rpartition("/")
    return ServedHost({".": namespace, "*": ""}.get(owner, owner), host)


def served_hosts(server: "Server", namespace: str) -> Iterator[ServedHost]:
    """The hosts of a server of a Gateway in `namespace`."""
    return (served_host(entry, namespace) for entry in server.hosts)


def servers_by_host(servers: Iterable["Server"], gateway: str, namespace: str) -> HostMap[int]:
    """The indices of a Gateway's servers by those of their hosts that VirtualServices of a namespace may use.

    Parameters:
        gateway: the namespace of the Gateway.
        namespace: that of the VirtualServices.
    """
    hosts = ((one, number) for number, server in enumerate(servers) for one in served_hosts(server, gateway))
    return HostMap((one.host, number) for one, number in hosts if one.open_to(namespace))


class Handling(StrEnum):
    """What a Gateway's server does with connections, as the end of a sentence about it."""

    HTTP = "takes plain HTTP"
    HTTPS = "ends TLS and routes the HTTP inside"
    PASSTHROUGH = "passes TLS on unread"
    TLS = "ends TLS and forwards the bytes inside"
    TCP = "forwards bytes unread"

    @property
    def tls(self) -> bool:
        """True where the client has to speak TLS."""
        return self in (Handling.HTTPS, Handling.PASSTHROUGH, Handling.TLS)


def handling(server: "Server") -> Handling:
    """What a server does with connections.

    Source: pkg/config/gateway; pilot networking/core/gateway.go, createGatewayTCPFilterChainOpts.
    """
    if is_plain_http(server):
        return Handling.HTTP
    if server.tls is None:
        return Handling.TCP
    if "PASSTHROUGH" in server.tls.mode:
        return Handling.PASSTHROUGH
    return Handling.HTTPS if ends_https(server) else Handling.TLS


def is_plain_http(server: "Server") -> bool:
    """True for a server that takes HTTP without TLS."""
    return ports.parse(server.port.protocol) in ports.HTTP


def ends_https(server: "Server") -> bool:
    """True for a server that ends TLS and routes the HTTP inside.

    Source: pkg/config/gateway, IsHTTPSServerWithTLSTermination.
    """
    return (
        ports.parse(server.port.protocol) == HTTPS and server.tls is not None and "PASSTHROUGH" not in server.tls.mode
    )


def passes_tls(server: "Server") -> bool:
    """True for a server that passes TLS through by its server name (SNI), so that `tls` routes apply.

    Source: pkg/config/gateway, IsPassThroughServer; pilot gateway.go, buildGatewayNetworkFiltersFromTLSRoutes.
    """
    return (
        ports.parse(server.port.protocol) in (HTTPS, "tls")
        and server.tls is not None
        and "PASSTHROUGH" in server.tls.mode
    )


def routes_http(server: "Server") -> bool:
    """True for a server that reads HTTP, so that `http` routes apply. Any other server forwards bytes."""
    return is_plain_http(server) or ends_https(server)
