"""A request that arrives at an ingress gateway: which virtual host of its Envoy takes it, with which routes.

Source: pilot networking/core/gateway.go (buildGatewayHTTPRouteConfig) and model/gateway.go (mergeGateways). All
Gateways that select the same Pods share that Envoy: their plain HTTP servers of one port are one set of virtual
hosts, so VirtualServices of one host merge even across Gateways; a server with TLS has a set of its own, chosen by
SNI.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from meshconfig.istio import Gateway, Server, VirtualService
from meshconfig.simulate.decision import Failure
from meshconfig.simulate.hosts import covers, domain_matches, intersection, specificity
from meshconfig.simulate.index import Index, resolved_hosts
from meshconfig.simulate.request import ANY_GATEWAY, DEFAULT_PORTS, Request
from meshconfig.simulate.rules import ROOT_NAMESPACE
from meshconfig.simulate.source import Candidate, Proxy, candidates

_PLAIN = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})


@dataclass(slots=True)
class Listening:
    """The virtual host that takes a request, or the answer where none does.

    Parameters:
        candidates: the matches in the order that Envoy tries them. proxy: the Envoy that decides.
    """

    proxy: Proxy
    domain: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    failure: Failure | None = None
    to_https: bool = False
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """A server of a Gateway, and the hosts that it serves for a namespace."""

    gateway: str
    server: Server
    hosts: tuple[str, ...]

    def hosts_for(self, namespace: str) -> list[str]:
        found = []
        for entry in self.hosts:
            owner, slash, host = entry.rpartition("/")
            if not slash or owner in ("*", namespace):
                found.append(host)
        return found


def listening(index: Index, request: Request) -> Listening:
    """Find the virtual host for a request at `request.gateway`."""
    port = request.port or DEFAULT_PORTS.get(request.scheme, 80)
    named = _named(index, request, port)
    if isinstance(named, str):
        return Listening(Proxy(ROOT_NAMESPACE, None, port), failure=Failure(404, named))
    name, gateway = named
    labels, namespace, assumed = _pods(index, gateway, request)
    proxy = Proxy(namespace, labels, port, name, request.scheme == "https")
    found = Listening(proxy, assumed=assumed)
    places, beside = _places(index, gateway, labels, request, port)
    found.undecided += beside
    if not places:
        found.failure = Failure(0, f"no connection: no server of Gateway {name} has port {port} for {request.scheme}")
        return found
    _find_virtual_host(index, request, places, found)
    return found


def _named(index: Index, request: Request, port: int) -> tuple[str, Gateway] | str:
    if request.gateway != ANY_GATEWAY:
        gateway = index.gateways.get(request.gateway or "")
        return (request.gateway or "", gateway) if gateway else f"there is no Gateway {request.gateway}"
    serving = [
        (name, gateway)
        for name, gateway in index.gateways.items()
        if any(_serves(place, request) for place in _servers(name, gateway, request, port))
    ]
    return serving[0] if serving else f"no Gateway serves {request.authority_host} on port {port}"


def _serves(place: _Place, request: Request) -> bool:
    return any(domain_matches(host.rpartition("/")[2].lower(), request.authority_host) for host in place.hosts)


def _servers(name: str, gateway: Gateway, request: Request, port: int) -> Iterator[_Place]:
    for server in gateway.spec.servers:
        protocol = server.port.protocol.upper()
        terminated = protocol == "HTTPS" and server.tls is not None and "PASSTHROUGH" not in server.tls.mode
        if server.port.number == port and (terminated if request.scheme == "https" else protocol in _PLAIN):
            yield _Place(name, server, tuple(_sanitized(server.hosts, gateway.namespace)))


def _sanitized(hosts: Iterable[str], namespace: str) -> Iterator[str]:
    for host in hosts:
        owner, slash, name = host.partition("/")
        yield f"{namespace}/{name}" if slash and owner == "." else name if slash and owner == "*" else host


def _pods(index: Index, gateway: Gateway, request: Request) -> tuple[Mapping[str, str], str, list[str]]:
    """The labels and the namespace of the Pods that the Gateway selects."""
    selector = gateway.spec.selector.items()
    for workload in index.registry.all_workloads():
        own = workload.spec.template.metadata.labels
        if selector and selector <= own.items() and request.source_labels is None:
            return own, workload.namespace, []
    given = request.source_labels
    labels = gateway.spec.selector if given is None else given
    if request.source_namespace:
        return labels, request.source_namespace, []
    return labels, ROOT_NAMESPACE, [f"the gateway's Pods run in namespace {ROOT_NAMESPACE}"]


def _places(
    index: Index, named: Gateway, labels: Mapping[str, str], request: Request, port: int
) -> tuple[list[_Place], list[str]]:
    """The servers that the request may reach, those of other Gateways on the same Pods included."""
    places: list[_Place] = []
    beside: list[str] = []
    for name, gateway in index.gateways.items():
        selector = gateway.spec.selector
        servers = list(_servers(name, gateway, request, port))
        if selector.items() <= labels.items():
            places += servers
        elif any(_serves(place, request) for place in servers):
            beside += _doubt(name, request, apart=_apart(selector, labels))
    return (_by_sni(places, request), beside) if request.scheme == "https" else (places, beside)


def _doubt(name: str, request: Request, *, apart: bool) -> list[str]:
    """What another Gateway that serves the host leaves open."""
    if not apart and request.source_labels is None:
        return [f"Gateway {name} serves this host too and may select the same Pods"]
    return [f"Gateway {name} serves this host too, on other Pods"] if request.gateway == ANY_GATEWAY else []


def _apart(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return any(labels.get(name, value) != value for name, value in selector.items()) or not set(selector) & set(labels)


def _by_sni(places: list[_Place], request: Request) -> list[_Place]:
    """The server whose hosts fit the server name best; of two with the same host, pilot drops the later."""
    best: dict[str, _Place] = {}
    for place in places:
        for host in place.hosts:
            best.setdefault(host.rpartition("/")[2].lower(), place)
    fitting = [host for host in best if domain_matches(host, request.authority_host)]
    return [best[max(fitting, key=specificity)]] if fitting else []


def _find_virtual_host(index: Index, request: Request, places: list[_Place], found: Listening) -> None:
    hosts: dict[str, list[list[Candidate]]] = {}
    secured: set[str] = set()
    for place in places:
        redirects = place.server.tls is not None and place.server.tls.https_redirect
        for virtual_service, domains in _bound(index, place, request, found.proxy):
            own = list(candidates(index.routes(virtual_service), _under(found.proxy, place.gateway)))
            if all(one.kept_out.mismatches for one in own):
                continue  # pilot makes no virtual host of a VirtualService that has no route here
            for domain in domains:
                hosts.setdefault(domain, []).append(own)
                secured |= {domain} if redirects else set()
        if redirects:
            extra = [host.lower() for host in place.hosts if domain_matches(host.lower(), request.authority_host)]
            secured |= set(extra)
            hosts.update({host: [] for host in extra if host not in hosts})
    if not hosts:
        found.failure = Failure(
            404, f"no VirtualService at Gateway {found.proxy.gateway} has host {request.authority_host}"
        )
        return
    found.domain = max(hosts, key=specificity)
    found.to_https = found.domain in secured
    merged = [one for group in hosts[found.domain] for one in group]
    found.candidates = [one for one in merged if not one.catch_all] + [one for one in merged if one.catch_all]


def _under(proxy: Proxy, gateway: str) -> Proxy:
    return Proxy(proxy.namespace, proxy.labels, proxy.port, gateway, proxy.tls)


def _bound(index: Index, place: _Place, request: Request, proxy: Proxy) -> Iterator[tuple[VirtualService, list[str]]]:
    """The VirtualServices of a server, each with the hosts in common that take this request."""
    host = request.authority_host
    for virtual_service in index.at_gateway(place.gateway, host, proxy.namespace):
        ours = [one for one in resolved_hosts(virtual_service) if covers(one, host)]
        common = intersection(place.hosts_for(virtual_service.namespace), ours)
        if domains := [domain for one in common if domain_matches(domain := one.lower(), host)]:
            yield virtual_service, domains
