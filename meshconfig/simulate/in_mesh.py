"""A request that a sidecar sends: the virtual host of its Envoy that takes it, and the routes there.

In the mesh, pilot does not merge the VirtualServices of one host. The first one that has any route for this proxy takes
the host: private VirtualServices before public ones, older before newer. Pilot ignores a VirtualService if the proxy
gets none of its routes (because of sourceLabels, gateways or port).
Source: pilot networking/core/httproute.go and route.go (BuildSidecarVirtualHostWrapper).
"""

from dataclasses import dataclass, field, replace

from meshconfig.istio import CLUSTER_DOMAIN, VirtualService
from meshconfig.istio.exports import visible
from meshconfig.istio.hosts import covers, domain_matches, is_wildcard, overlap, specificity
from meshconfig.istio.services import KnownService
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates
from meshconfig.simulate.decision import Failure, Passthrough
from meshconfig.simulate.index import Index, resolved_hosts
from meshconfig.simulate.request import Request
from meshconfig.simulate.scope import Scope

_HTTP_PORT = 80


@dataclass(slots=True)
class Calling:
    """What a sidecar does with a request: a virtual host with routes takes it, or a Service without routes, or neither.

    Parameters:
        proxy: the Envoy that routes the request.
        domain: the pattern of the virtual host.
        candidates: the matches in the order in which Envoy tries them; empty where no route applies.
        service: the Service that takes the request where no route applies.
        answer: the outcome where no virtual host and no Service takes the request.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    proxy: ProxyContext
    domain: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    service: KnownService | None = None
    answer: Failure | Passthrough | None = None
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def calling(index: Index, request: Request) -> Calling:
    """Find the virtual host for a request that a sidecar in `request.source_namespace` sends."""
    namespace = request.source_namespace or "default"
    port = request.port or request.authority_port
    found = Calling(ProxyContext(namespace, request.source_labels, port))
    scope = Scope(index, namespace, request.source_labels)
    found.undecided += scope.undecided
    service = _service(index, scope, request, namespace)
    if service is not None:
        _to_service(index, scope, service, found)
    else:
        _to_other_host(index, scope, request, found)
    return found


def _service(index: Index, scope: Scope, request: Request, client: str) -> KnownService | None:
    """The Service that a client means by a host, which may lack the DNS search suffix of the client's namespace."""
    host = request.authority_host.rstrip(".")
    name = f"{host}.{client}" if "." not in host else host
    for full in (host, f"{name.removesuffix('.svc')}.{CLUSTER_DOMAIN}"):
        known = index.registry.get(full, client)
        if known is not None and (known.given or _is_named(index, known, host)) and scope.imports_service(known):
            return known
    return None


def _is_named(index: Index, known: KnownService, host: str) -> bool:
    """Whether to assume a Service that is not given. `a.b` may also be a domain, so a VirtualService must name it."""
    return "." not in host or ".svc" in host or index.names_in_mesh(known.host)


def _to_service(index: Index, scope: Scope, service: KnownService, found: Calling) -> None:
    port = found.proxy.port or service.only_port
    found.proxy = replace(found.proxy, port=port)
    found.domain, found.service = service.host, service
    if not service.given:
        found.assumed.append(f"there is a Service {service.host}" + (f" with port {port}" if port else ""))
    elif not service.has_port(port):
        found.service, found.answer = None, Passthrough(service.host, f"the Service has no port {port}")
        return
    elif port is None:
        found.undecided.append(f"which port of {service.host} is called")
    elif not service.is_http(port):
        found.assumed.append(f"port {port} of {service.host} is not HTTP by its name: no route applies")
        return
    _attach(index, scope, service, found)


def _attach(index: Index, scope: Scope, service: KnownService, found: Calling) -> None:
    """Takes the routes of the first VirtualService of this Service that has any route for the proxy."""
    for virtual_service in _chosen(index, scope, service, found.proxy.namespace):
        own = list(candidates(index.routes(virtual_service), found.proxy))
        if any(not one.kept_out.mismatches for one in own):
            found.candidates, found.service = own, None
            return


def _chosen(index: Index, scope: Scope, service: KnownService, namespace: str) -> list[VirtualService]:
    return index.of_service(service.host, namespace, scope.imports_virtual_service)


def _to_other_host(index: Index, scope: Scope, request: Request, found: Calling) -> None:
    """Finds the virtual host of a host without a Service: that of a VirtualService or of a wildcard ServiceEntry."""
    host = request.authority_host
    port = found.proxy.port or _HTTP_PORT
    found.proxy = replace(found.proxy, port=port)
    entries = [one for one in index.registry.wildcards if domain_matches(one.host, host) and one.has_port(port)]
    domains = {one.host for one in entries}
    if index.names_in_mesh(host):
        domains.add(host)
    domains |= {one for one in index.mesh_wildcards() if domain_matches(one, host)}
    for domain in sorted(domains, key=specificity, reverse=True):
        entry = next((one for one in entries if one.host == domain), None)
        if entry is not None:
            found.domain, found.service = domain, entry
            _attach(index, scope, entry, found)
            return
        if _take(index, scope, domain, port, found):
            return
    found.answer = Passthrough(host, "no Service and no VirtualService of the mesh has this host")


def _take(index: Index, scope: Scope, domain: str, port: int, found: Calling) -> bool:
    """Takes the VirtualService of a host without a Service, if pilot makes a virtual host for it on this port."""
    known = [one for one in index.registry.by_host.values() if one.has_port(port) and _sees(scope, found, one)]
    if is_wildcard(domain) and any(overlap(domain, one.host) for one in known):
        return False  # pilot expands a wildcard that covers Services to these, and makes no virtual host for others
    for virtual_service in index.in_mesh(domain, found.proxy.namespace):
        own = list(candidates(index.routes(virtual_service), found.proxy))
        if not scope.imports_virtual_service(virtual_service) or all(one.kept_out.mismatches for one in own):
            continue
        # On port 80 pilot makes a virtual host for every such host. On another port it makes one only if a Service of
        # the same VirtualService has that port.
        if port == _HTTP_PORT or _has_service(index, scope, virtual_service, known, found):
            found.domain, found.candidates = domain, own
            return True
    return False


def _sees(scope: Scope, found: Calling, service: KnownService) -> bool:
    seen = visible(service.export_to, service.namespace, found.proxy.namespace)
    return seen and scope.imports_service(service)


def _has_service(
    index: Index, scope: Scope, virtual_service: VirtualService, known: list[KnownService], found: Calling
) -> bool:
    """Whether one of the hosts is a Service with this port; the Service may be given or assumed."""
    hosts = resolved_hosts(virtual_service)
    assumed = [index.registry.get(host) for host in hosts if host not in index.registry.by_host]
    covered = [one for one in known if any(covers(host, one.host) for host in hosts)]
    every = [*covered, *(one for one in assumed if one is not None and scope.imports_service(one))]
    return any(virtual_service in _chosen(index, scope, one, found.proxy.namespace) for one in every)
