"""A request that arrives at an ingress gateway: the virtual host of its Envoy that takes it, and the routes there.

Pilot puts all plain HTTP servers of one port into one set of virtual hosts, so VirtualServices of one host merge even
across Gateways. A server with TLS has a set of its own. A server that reads no HTTP forwards by `tcp` or `tls` routes.
Source: pilot networking/core/gateway.go, buildGatewayHTTPRouteConfig and createGatewayTCPFilterChainOpts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from meshconfig.istio import VirtualService, fqdn
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.gateways import Handling
from meshconfig.istio.hosts import covers, domain_matches, intersection, overlap, specificity
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates
from meshconfig.simulate.decision import NO_CONNECTION, Failure
from meshconfig.simulate.fronts import ServerHosts
from meshconfig.simulate.index import Index
from meshconfig.simulate.request import ANY_GATEWAY, Request
from meshconfig.simulate.servers import (
    GatewayPods,
    LeftOut,
    at_port,
    called_port,
    left_out,
    named,
    pods_of,
    reached,
    servers,
)
from meshconfig.simulate.streams import StreamChoice, by_port, by_server_name


@dataclass(slots=True)
class Listening:
    """The virtual host that takes a request, or the failure where none does.

    Parameters:
        proxy: the Envoy that routes the request.
        domain: the pattern of the virtual host.
        candidates: the matches in the order in which Envoy tries them.
        stream: the route of a server that reads no HTTP.
        failure: the answer where no virtual host takes the request; otherwise None.
        to_https: Envoy redirects a plain request to https before it tries any route.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    proxy: ProxyContext
    domain: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    stream: StreamChoice | None = None
    failure: Failure | None = None
    to_https: bool = False
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def listening(index: Index, request: Request) -> Listening:
    """Find the virtual host for a request at `request.gateway`."""
    called = called_port(index, request)
    port = called.number
    name = named(index, request, port)
    if name is None:
        return Listening(ProxyContext(ROOT_NAMESPACE, None, port), failure=_nowhere(index, request, port))
    pods = pods_of(index, index.gateways[name], request)
    found = Listening(ProxyContext(pods.namespace, pods.labels, port, name, request.scheme == "https"))
    if not pods.namespace_known:
        found.assumed.append(f"the gateway's Pods run in namespace {pods.namespace}")
    if called.found:
        found.assumed.append(f"the client calls port {port}, on which Gateway {name} listens")
    if called.others:
        more = ", ".join(map(str, called.others))
        found.undecided.append(f"which port is called: {request.authority_host} is served on {more} too")
    places, doubts = reached(index, pods, request, port)
    found.undecided += doubts
    if not places:
        found.failure = _no_server(index, request, pods, name, port)
    elif places[0].handling in (Handling.HTTP, Handling.HTTPS):
        _find_virtual_host(index, request, places, found)
        if found.failure and (out := left_out(index, pods, request, port)):
            found.failure = _left_out(out, found.failure.status)
    else:
        _find_stream(index, request, places[0], found)
    return found


def _nowhere(index: Index, request: Request, port: int) -> Failure:
    host = request.authority_host
    if request.gateway != ANY_GATEWAY:
        return Failure(404, f"there is no Gateway {request.gateway}")
    here = list(at_port(index, port))
    if other := next((one for one in here if one.serves(host)), None):
        return _other_protocol(other, request, port)
    why = f"no Gateway serves {host} on port {port}"
    elsewhere = [one for one in servers(index) if one.serves(host)]
    if elsewhere:
        why += "; " + ", ".join(dict.fromkeys(f"Gateway {one.gateway} does on port {one.called}" for one in elsewhere))
    # Without a server at all, nothing listens there. With one, its Envoy answers for the hosts that it does not know.
    if any(one.takes(request.scheme) for one in here):
        return Failure(404, why)
    return Failure(NO_CONNECTION, f"no connection: {why}")


def _no_server(index: Index, request: Request, pods: GatewayPods, name: str, port: int) -> Failure:
    if out := left_out(index, pods, request, port):
        return _left_out(out, NO_CONNECTION)
    if other := next((one for one in at_port(index, port, name) if not one.takes(request.scheme)), None):
        return _other_protocol(other, request, port)
    why = f"no connection: no server of Gateway {name} has port {port} for {request.scheme}"
    if any(at_port(index, port, name)):
        why = f"no connection: no server of Gateway {name} has host {request.authority_host} on port {port}"
    return Failure(NO_CONNECTION, why)


def _left_out(out: LeftOut, status: int) -> Failure:
    why = f"Gateway {out.gateway} does not serve it: {out.why}"
    return Failure(status, f"no connection: {why}" if status == NO_CONNECTION else why)


def _other_protocol(place: ServerHosts, request: Request, port: int) -> Failure:
    speaks = "TLS" if request.scheme == "https" else "plain HTTP"
    why = f"on port {port}, Gateway {place.gateway} {place.handling}, and the client speaks {speaks}"
    return Failure(NO_CONNECTION, f"no connection: {why}")


def _find_virtual_host(index: Index, request: Request, places: list[ServerHosts], found: Listening) -> None:
    hosts: dict[str, list[Candidate]] = {}
    secured: set[str] = set()
    made: dict[tuple[str, str], list[Candidate]] = {}
    for place in places:
        for virtual_service, domains in _bound(index, place, request, found.proxy):
            # Two servers of one Gateway share the routes that pilot made for the first of them.
            key = place.gateway, virtual_service.key
            if key not in made:
                proxy = replace(found.proxy, gateway=place.gateway, port=place.server.port.number)
                made[key] = list(candidates(index.routes(virtual_service), proxy))
            own = made[key]
            if all(one.kept_out.mismatches for one in own):
                continue  # pilot makes no virtual host of a VirtualService that has no route here
            for domain in domains:
                hosts.setdefault(domain, []).extend(own)
                secured |= {domain} if place.redirects else set()
        if place.redirects:
            every = (one.host.lower() for one in place.hosts if not one.owner)
            bare = {host for host in every if domain_matches(host, request.authority_host)}
            secured |= bare
            hosts = {**{host: [] for host in bare}, **hosts}
    if not hosts:
        name = places[0].gateway if request.scheme == "https" else found.proxy.gateway
        found.failure = Failure(404, _without_routes(index, request, places, name))
        return
    found.domain = max(hosts, key=specificity)
    found.to_https = found.domain in secured
    # Pilot moves the routes that take every request to the end. Otherwise the catch-all of one VirtualService would
    # hide the routes of those that are merged behind it.
    found.candidates = sorted(hosts[found.domain], key=lambda one: one.catch_all)


def _without_routes(index: Index, request: Request, places: list[ServerHosts], name: str) -> str:
    """Why there is a 404: no VirtualService names the host, or those that do have no route for it here."""
    for place in places:
        if any(index.named_at_gateway(place.gateway, request.authority_host)):
            return (
                f"no VirtualService has an http route in force for {request.authority_host} at Gateway {place.gateway}"
            )
    return f"no VirtualService at Gateway {name} has host {request.authority_host}"


def _bound(
    index: Index, place: ServerHosts, request: Request, proxy: ProxyContext
) -> Iterator[tuple[VirtualService, list[str]]]:
    """The VirtualServices bound to a server, each with the hosts that both have and that cover the request's host."""
    host = request.authority_host
    for virtual_service in index.at_gateway(place.gateway, host, proxy.namespace):
        namespace = virtual_service.namespace
        hosts = (fqdn(one, namespace) for one in virtual_service.spec.hosts)
        common = intersection(place.hosts_for(namespace), [one for one in hosts if covers(one.lower(), host)])
        if domains := [domain for one in common if domain_matches(domain := one.lower(), host)]:
            yield virtual_service, domains


def _find_stream(index: Index, request: Request, place: ServerHosts, found: Listening) -> None:
    """The `tls` route of a server that passes TLS on, or the `tcp` route of one that forwards bytes."""
    found.proxy = replace(found.proxy, gateway=place.gateway, port=place.server.port.number)
    bound = [
        one
        for one in index.of_gateway(place.gateway, found.proxy.namespace)
        if any(
            overlap(ours, fqdn(host, one.namespace))
            for ours in place.hosts_for(one.namespace)
            for host in one.spec.hosts
        )
    ]
    if place.handling is Handling.PASSTHROUGH:
        if place.server.tls is not None and place.server.tls.mode != "PASSTHROUGH":
            found.undecided.append(f"{place.server.tls.mode} of Gateway {place.gateway} is not modelled")
        found.stream = by_server_name(bound, found.proxy, request.authority_host)
        wanted = f"no tls route there has the server name {request.authority_host}"
    else:
        found.stream = by_port(bound, found.proxy)
        wanted = "no tcp route there takes it"
    if found.stream.taken is None:
        what = f"on port {found.proxy.port}, Gateway {place.gateway} {place.handling}, and {wanted}"
        found.failure = Failure(NO_CONNECTION, f"no connection: {what}")
