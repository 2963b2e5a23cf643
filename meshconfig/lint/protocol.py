"""Which protocol Istio takes a Service's port to have.

Source: Istio, "Protocol Selection"; pkg/config/kube ConvertProtocol, pkg/config/protocol Parse.
"""

from meshconfig.istio import ServicePort

HTTP = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web"})
OTHER = frozenset({"tcp", "udp", "tls", "https", "mongo", "redis", "mysql"})
_KUBERNETES = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}
_TCP_PORTS = frozenset({25, 53, 3306, 27017})  # not sniffed: there the server speaks first


def protocol(port: ServicePort) -> str:
    """The protocol by `appProtocol`, else by the name, `<protocol>[-suffix]`; empty for one that Istio sniffs."""
    if port.protocol == "UDP":
        return "udp"
    if port.app_protocol in _KUBERNETES:
        return _KUBERNETES[port.app_protocol]
    name = (port.app_protocol or port.name).lower()
    prefix = "grpc-web" if name.startswith("grpc-web") else name.partition("-")[0]
    if prefix in HTTP | OTHER:
        return prefix
    return "tcp" if port.port in _TCP_PORTS else ""
