"""A request that arrives at an ingress gateway: the virtual host of its Envoy that takes it, and the routes there.

Pilot puts all plain HTTP servers of one port into one set of virtual hosts, so VirtualServices of one host merge even
across Gateways. A server with TLS has a set of its own.
Source: pilot networking/core/gateway.go, buildGatewayHTTPRouteConfig.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from meshconfig.istio import VirtualService, fqdn, ports
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.hosts import covers, domain_matches, intersection, specificity
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates
from meshconfig.simulate.decision import Failure
from meshconfig.simulate.index import Index
from meshconfig.simulate.request import ANY_GATEWAY, Request
from meshconfig.simulate.servers import ServerHosts, named, pods_of, reached

NO_CONNECTION = 0  # the status of a request that no listener takes


@dataclass(slots=True)
class Listening:
    """The virtual host that takes a request, or the failure where none does.

    Parameters:
        proxy: the Envoy that routes the request.
        domain: the pattern of the virtual host.
        candidates: the matches in the order in which Envoy tries them.
        failure: the answer where no virtual host takes the request; otherwise None.
        to_https: Envoy redirects a plain request to https before it tries any route.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    proxy: ProxyContext
    domain: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    failure: Failure | None = None
    to_https: bool = False
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def listening(index: Index, request: Request) -> Listening:
    """Find the virtual host for a request at `request.gateway`."""
    port = request.port or ports.BY_SCHEME.get(request.scheme, 80)
    name = named(index, request, port)
    if name is None:
        return Listening(ProxyContext(ROOT_NAMESPACE, None, port), failure=Failure(404, _nowhere(request, port)))
    pods = pods_of(index, index.gateways[name], request)
    found = Listening(ProxyContext(pods.namespace, pods.labels, port, name, request.scheme == "https"))
    if not pods.namespace_known:
        found.assumed.append(f"the gateway's Pods run in namespace {pods.namespace}")
    places, found.undecided = reached(index, pods, request, port)
    if places:
        _find_virtual_host(index, request, places, found)
    else:
        why = f"no connection: no server of Gateway {name} has port {port} for {request.scheme}"
        found.failure = Failure(NO_CONNECTION, why)
    return found


def _nowhere(request: Request, port: int) -> str:
    if request.gateway == ANY_GATEWAY:
        return f"no Gateway serves {request.authority_host} on port {port}"
    return f"there is no Gateway {request.gateway}"


def _find_virtual_host(index: Index, request: Request, places: list[ServerHosts], found: Listening) -> None:
    hosts: dict[str, list[Candidate]] = {}
    secured: set[str] = set()
    for place in places:
        for virtual_service, domains in _bound(index, place, request, found.proxy):
            own = list(candidates(index.routes(virtual_service), replace(found.proxy, gateway=place.gateway)))
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
        why = f"no VirtualService at Gateway {found.proxy.gateway} has host {request.authority_host}"
        found.failure = Failure(404, why)
        return
    found.domain = max(hosts, key=specificity)
    found.to_https = found.domain in secured
    # Pilot moves the routes that take every request to the end. Otherwise the catch-all of one VirtualService would
    # hide the routes of those that are merged behind it.
    found.candidates = sorted(hosts[found.domain], key=lambda one: one.catch_all)


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
