"""Which servers of which Gateways a request reaches. All Gateways that select the same Pods share one Envoy.

Source: pilot model/gateway.go, mergeGateways.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.istio import Gateway, Server
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateways import ServedHost, ends_https, is_plain_http, served_hosts
from meshconfig.istio.hosts import domain_matches, specificity
from meshconfig.simulate.index import Index
from meshconfig.simulate.request import ANY_GATEWAY, Request


@dataclass(frozen=True, slots=True)
class GatewayPods:
    """The Pods of a gateway.

    Parameters:
        labels: their labels. Where `labels_known` is False, the Pods have at least these.
        namespace: their namespace. Where `namespace_known` is False, this is an assumption.
    """

    labels: Mapping[str, str] = field(hash=False)
    namespace: str
    labels_known: bool
    namespace_known: bool


class ServerHosts(NamedTuple):
    """A server of a Gateway and its hosts.

    Parameters:
        gateway: `namespace/name`.
    """

    gateway: str
    server: Server
    hosts: tuple[ServedHost, ...]

    @property
    def redirects(self) -> bool:
        """Whether the server redirects plain requests to https."""
        return self.server.tls is not None and self.server.tls.https_redirect

    def hosts_for(self, namespace: str) -> list[str]:
        """The hosts that VirtualServices of a namespace may bind to."""
        return [one.host for one in self.hosts if one.open_to(namespace)]

    def serves(self, host: str) -> bool:
        """Whether one of the server's hosts covers `host`."""
        return any(domain_matches(one.host.lower(), host) for one in self.hosts)


def named(index: Index, request: Request, port: int) -> str | None:
    """The Gateway (`namespace/name`) that the request names, or the first that serves its host; None without one."""
    if request.gateway != ANY_GATEWAY:
        return request.gateway if request.gateway in index.gateways else None
    host = request.authority_host
    for name, gateway in index.gateways.items():
        if any(place.serves(host) for place in _servers(name, gateway, request.scheme, port)):
            return name
    return None


def pods_of(index: Index, gateway: Gateway, request: Request) -> GatewayPods:
    """The Pods that a Gateway selects.

    They come from the request's source labels, else from the first workload that fits the selector, else from the
    selector itself.
    """
    selector, namespace = gateway.spec.selector, request.source_namespace
    if request.source_labels is not None:
        return GatewayPods(request.source_labels, namespace or ROOT_NAMESPACE, True, bool(namespace))
    for workload in index.registry.all_workloads() if selector else ():
        labels = workload.spec.template.metadata.labels
        if selector.items() <= labels.items():
            return GatewayPods(labels, workload.namespace, True, True)
    return GatewayPods(selector, namespace or ROOT_NAMESPACE, False, bool(namespace))


def reached(index: Index, pods: GatewayPods, request: Request, port: int) -> tuple[list[ServerHosts], list[str]]:
    """The servers that a request may reach on these Pods, and the doubts that other Gateways of its host cause."""
    places: list[ServerHosts] = []
    doubts: list[str] = []
    for name, gateway in index.gateways.items():
        servers = list(_servers(name, gateway, request.scheme, port))
        if gateway.spec.selector.items() <= pods.labels.items():
            places += servers
        elif any(place.serves(request.authority_host) for place in servers):
            doubts += _doubt(name, gateway, pods, request)
    return (_by_sni(places, request.authority_host), doubts) if request.scheme == "https" else (places, doubts)


def _servers(name: str, gateway: Gateway, scheme: str, port: int) -> Iterator[ServerHosts]:
    """The servers of a port: plain HTTP ones, or for https those that terminate TLS."""
    takes = ends_https if scheme == "https" else is_plain_http
    for server in gateway.spec.servers:
        if server.port.number == port and takes(server):
            yield ServerHosts(name, server, tuple(served_hosts(server, gateway.namespace)))


def _doubt(name: str, gateway: Gateway, pods: GatewayPods, request: Request) -> list[str]:
    selector = gateway.spec.selector
    if not pods.labels_known and all(pods.labels.get(key, value) == value for key, value in selector.items()):
        return [f"Gateway {name} serves this host too and may select the same Pods"]
    return [f"Gateway {name} serves this host too, on other Pods"] if request.gateway == ANY_GATEWAY else []


def _by_sni(places: list[ServerHosts], host: str) -> list[ServerHosts]:
    """The server whose hosts fit the TLS server name best. Of two servers with the same host, pilot drops the later."""
    best: dict[str, ServerHosts] = {}
    for place in places:
        for one in place.hosts:
            best.setdefault(one.host.lower(), place)
    fitting = [one for one in best if domain_matches(one, host)]
    return [best[max(fitting, key=specificity)]] if fitting else []
