"""Which servers of which Gateways a request reaches. All Gateways that select the same Pods share one Envoy.

Source: pilot model/gateway.go, mergeGateways.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.istio import Gateway, ports
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateway_api_types import GATEWAY_KIND
from meshconfig.istio.hosts import specificity
from meshconfig.simulate.fronts import ServerHosts
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


@dataclass(frozen=True, slots=True)
class CalledPort:
    """The port at which a request reaches a gateway.

    Parameters:
        others: where the request names no port and its scheme's own is not served, further ports that would do.
        found: the port is not the one that was said, or its scheme's own, but one of the servers'.
    """

    number: int
    others: tuple[int, ...] = ()
    found: bool = False


class LeftOut(NamedTuple):
    """A Gateway (`namespace/name`) with a server that pilot leaves out, and why, as a sentence about it."""

    gateway: str
    why: str


def called_port(index: Index, request: Request) -> CalledPort:
    """The port that the request names, else its scheme's own, else the first at which a server takes it.

    A Gateway that the request names is reached in any case: where it has no server on the authority's port, that is
    the port of a load balancer or a port-forward before it.
    """
    said = request.port or request.authority_port
    if said and (request.port or request.gateway == ANY_GATEWAY or any(at_port(index, said, request.gateway))):
        return CalledPort(said)
    usual = ports.BY_SCHEME.get(request.scheme, 80)
    places = [one for one in servers(index, request.gateway) if one.takes(request.scheme)]
    fitting = [one for one in places if one.serves(request.authority_host)]
    if not fitting and request.gateway != ANY_GATEWAY:
        fitting = places
    if not fitting or any(usual in one.ports for one in fitting):
        return CalledPort(usual, found=bool(said))
    number, *others = dict.fromkeys(one.called for one in fitting)
    return CalledPort(number, tuple(others), found=True)


def servers(index: Index, gateway: str | None = ANY_GATEWAY) -> Iterator[ServerHosts]:
    """All servers, of all Gateways or of one."""
    return (one for one in index.servers if gateway in (ANY_GATEWAY, one.gateway))


def at_port(index: Index, port: int, gateway: str | None = ANY_GATEWAY) -> Iterator[ServerHosts]:
    """The servers that a client reaches by calling a port, of all Gateways or of one."""
    return (one for one in index.servers_by_port.get(port, ()) if gateway in (ANY_GATEWAY, one.gateway))


def named(index: Index, request: Request, port: int) -> str | None:
    """The Gateway (`namespace/name`) that the request names, or the first that serves its host; None without one.

    Of several, one that a VirtualService names for this host goes first.
    """
    if request.gateway != ANY_GATEWAY:
        return request.gateway if request.gateway in index.gateways else None
    host = request.authority_host
    fitting = [one.gateway for one in at_port(index, port) if one.takes(request.scheme) and one.serves(host)]
    bound = (name for name in fitting if any(index.named_at_gateway(name, host)))
    return next(bound, next(iter(fitting), None))


def pods_of(index: Index, gateway: Gateway, request: Request) -> GatewayPods:
    """The Pods that a Gateway selects.

    They come from the request's source labels, else from the first workload that fits the selector, else from the
    selector itself.
    """
    selector, namespace = gateway.spec.selector, request.source_namespace
    if gateway.kind == GATEWAY_KIND:
        return GatewayPods(selector, gateway.namespace, True, True)  # istiod makes the Pods beside the Gateway
    if request.source_labels is not None:
        return GatewayPods(request.source_labels, namespace or ROOT_NAMESPACE, True, bool(namespace))
    if (workload := index.fronts.workload(gateway)) is not None:
        return GatewayPods(workload.spec.template.metadata.labels, workload.namespace, True, True)
    return GatewayPods(selector, namespace or ROOT_NAMESPACE, False, bool(namespace))


def reached(index: Index, pods: GatewayPods, request: Request, port: int) -> tuple[list[ServerHosts], list[str]]:
    """The servers that a request may reach on these Pods, and the doubts that other Gateways of its host cause."""
    doubts: list[str] = []
    for place in at_port(index, port):
        gateway = index.gateways[place.gateway]
        if place.takes(request.scheme) and not is_on(gateway, pods) and place.serves(request.authority_host):
            doubts += _doubt(place.gateway, gateway, pods, request)
    places = [one for one, twin in _on(index, pods, port) if twin is None and one.takes(request.scheme)]
    doubts = list(dict.fromkeys(doubts))
    return (_by_sni(places, request.authority_host), doubts) if request.scheme == "https" else (places, doubts)


def left_out(
    index: Index, pods: GatewayPods, request: Request, port: int, gateway: str | None = ANY_GATEWAY
) -> LeftOut | None:
    """A server, of any Gateway or of one, that would take the request and that pilot leaves out; None without one."""
    for one, twin in _on(index, pods, port):
        ours = gateway in (ANY_GATEWAY, one.gateway) and one.takes(request.scheme)
        if twin is not None and ours and one.serves(request.authority_host):
            other, host = twin
            older = "an earlier server of it" if other.gateway == one.gateway else f"the older Gateway {other.gateway}"
            why = f"istiod leaves out its server with TLS or a redirect on port {port}, as {older} has host {host} too"
            return LeftOut(one.gateway, why)
    return None


def is_on(gateway: Gateway, pods: GatewayPods) -> bool:
    """Whether a Gateway is one of these Pods."""
    theirs = gateway.kind == GATEWAY_KIND and gateway.namespace != pods.namespace
    return gateway.spec.selector.items() <= pods.labels.items() and not theirs


def _on(index: Index, pods: GatewayPods, port: int) -> Iterator[tuple[ServerHosts, tuple[ServerHosts, str] | None]]:
    """The servers of these Pods, each with the earlier one for whose sake pilot leaves it out, and the host of both.

    Of two servers with `tls`, a redirect's too, that have one host on one address, the later is left out with all of
    its hosts. Source: pilot model/gateway.go (CheckDuplicates).
    """
    known: dict[tuple[str, str, str], ServerHosts] = {}
    for place in at_port(index, port):
        if not is_on(index.gateways[place.gateway], pods):
            continue
        written = {(one.owner, one.host.lower(), place.server.bind): one for one in place.hosts if place.server.tls}
        twin = next(((known[key], str(one)) for key, one in written.items() if key in known), None)
        if twin is None:
            known |= dict.fromkeys(written, place)
        yield place, twin


def _doubt(name: str, gateway: Gateway, pods: GatewayPods, request: Request) -> list[str]:
    selector = gateway.spec.selector
    if not pods.labels_known and all(pods.labels.get(key, value) == value for key, value in selector.items()):
        return [f"Gateway {name} serves this host too and may select the same Pods"]
    return [f"Gateway {name} serves this host too, on other Pods"] if request.gateway == ANY_GATEWAY else []


def _by_sni(places: list[ServerHosts], host: str) -> list[ServerHosts]:
    """The server whose hosts fit the TLS server name best."""
    fitting = [place for place in places if place.serves(host)]
    return [max(fitting, key=lambda place: specificity(place.nearest(host)))] if fitting else []
