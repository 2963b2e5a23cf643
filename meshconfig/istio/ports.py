"""Which protocol Istio assumes on a port, and so whether it reads HTTP there.

Source: Istio, "Protocol Selection"; pkg/config/kube ConvertProtocol, pkg/config/protocol Parse.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshconfig.istio.types import Port, ServicePort

HTTP = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web"})
OTHER = frozenset({"tcp", "udp", "tls", "https", "mongo", "redis", "mysql"})
TLS = frozenset({"tls", "https"})  # the client speaks TLS itself, and the proxy sees its server name alone
SNIFFED = ""  # no protocol is declared: Envoy looks at the first bytes
BY_SCHEME = {"http": 80, "https": 443}  # the port that a URL without one means
_KUBERNETES = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}
_GRPC_WEB = "grpc-web"
_TCP_PORTS = frozenset({25, 53, 3306, 27017})  # SMTP, DNS, MySQL, MongoDB: not sniffed, there the server speaks first


def parse(name: str) -> str:
    """A protocol's name in lower case, as ServiceEntries and Gateways give it; `SNIFFED` for one that is unknown."""
    lower = name.lower()
    return lower if lower in HTTP or lower in OTHER else SNIFFED


def protocol(port: "ServicePort") -> str:
    """A Service's port: the protocol by `appProtocol`, else by the name, `<protocol>[-suffix]`, else `SNIFFED`."""
    if port.protocol == "UDP":
        return "udp"
    if port.app_protocol in _KUBERNETES:
        return _KUBERNETES[port.app_protocol]
    name = (port.app_protocol or port.name).lower()
    declared = parse(_GRPC_WEB if name.startswith(_GRPC_WEB) else name.partition("-")[0])
    return declared or ("tcp" if port.port in _TCP_PORTS else SNIFFED)


def entry_protocol(port: "Port") -> str:
    """A ServiceEntry's port: the protocol that it gives, else `SNIFFED`."""
    return parse(port.protocol)


def may_be_http(name: str) -> bool:
    """True where HTTP routes apply to a port of this protocol. On a sniffed port they apply to HTTP requests."""
    return name in HTTP or name == SNIFFED
