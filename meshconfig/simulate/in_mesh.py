"""A request that a sidecar sends: which virtual host of its Envoy takes it, with which routes.

Source: pilot networking/core/httproute.go and route.go (BuildSidecarVirtualHostWrapper). In the mesh VirtualServices
of one host are not merged: the first that has any route for this proxy takes it, private ones before public, the
oldest first. One whose every route is kept from the proxy (by sourceLabels, gateways, port) is as good as not there.
"""

from dataclasses import dataclass, field, replace

from meshconfig.istio import CLUSTER_DOMAIN
from meshconfig.simulate.decision import Failure, Passthrough
from meshconfig.simulate.hosts import covers, domain_matches, overlap, specificity
from meshconfig.simulate.index import Index, resolved_hosts
from meshconfig.simulate.registry import KnownService, namespace_of
from meshconfig.simulate.request import Request
from meshconfig.simulate.scope import Scope
from meshconfig.simulate.source import Candidate, Proxy, candidates

_HTTP_PORT = 80


@dataclass(slots=True)
class Calling:
    """The virtual host that takes a request; or `service`, where no route applies; or `answer`, where neither does."""

    proxy: Proxy
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
    found = Calling(Proxy(namespace, request.source_labels, port))
    scope = Scope(index, namespace, request.source_labels)
    found.undecided += scope.undecided
    service = _service(index, scope, request, namespace)
    if service is not None:
        _to_service(index, scope, service, found)
    else:
        _to_other_host(index, scope, request, found)
    return found


def _service(index: Index, scope: Scope, request: Request, client: str) -> KnownService | None:
    """The Service that a client means by a host: as it stands, or with what DNS searches in its namespace appended."""
    host = request.authority_host.rstrip(".")
    name = f"{host}.{client}" if "." not in host else host
    for full in (host, f"{name.removesuffix('.svc')}.{CLUSTER_DOMAIN}"):
        known = index.registry.get(full, client)
        if known is not None and (known.given or _is_named(index, known, host)) and scope.imports_service(known):
            return known
    return None


def _is_named(index: Index, known: KnownService, host: str) -> bool:
    """Is a Service that is not given worth assuming? `a.b` may be a domain, so a VirtualService has to name it."""
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
    elif service.ports and port is not None and not service.ports[port]:
        found.assumed.append(f"port {port} of {service.host} is not HTTP by its name: no route applies")
        return
    _attach(index, scope, service, found)


def _attach(index: Index, scope: Scope, service: KnownService, found: Calling) -> None:
    """The routes of the first VirtualService of this Service that has any for the proxy."""
    namespace = found.proxy.namespace
    exact = [one for one in index.in_mesh(service.host, namespace) if scope.imports_virtual_service(one)]
    if exact:
        chosen = exact
    else:
        patterns = [one for one in index.mesh_wildcards() if covers(one, service.host)]
        seen = [[vs for vs in index.in_mesh(one, namespace) if scope.imports_virtual_service(vs)] for one in patterns]
        chosen = next((group[:1] for _, group in sorted(zip(patterns, seen, strict=True), key=_length) if group), [])
    for virtual_service in chosen:
        own = list(candidates(index.routes(virtual_service), found.proxy))
        if any(not one.kept_out.mismatches for one in own):
            found.candidates, found.service = own, None
            return


def _length(item: tuple[str, object]) -> int:
    return -len(item[0])


def _to_other_host(index: Index, scope: Scope, request: Request, found: Calling) -> None:
    """A host that is no Service: only a VirtualService or a wildcard ServiceEntry can know it."""
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
    """The VirtualService of a host beside the registry, if its virtual host exists on this port."""
    for virtual_service in index.in_mesh(domain, found.proxy.namespace):
        if not scope.imports_virtual_service(virtual_service):
            continue
        hosts = resolved_hosts(virtual_service)
        # Pilot makes virtual hosts of such hosts on port 80 only, or beside a Service of the same VirtualService.
        anchored = port == _HTTP_PORT or any(
            _given_with(index, host, port) for host in hosts if not host.startswith("*")
        )
        if domain.startswith("*") and _stands_for_services(index, domain, port):
            continue
        own = list(candidates(index.routes(virtual_service), found.proxy))
        if anchored and any(not one.kept_out.mismatches for one in own):
            found.domain, found.candidates = domain, own
            return True
    return False


def _given_with(index: Index, host: str, port: int) -> bool:
    known = index.registry.get(host)
    return known is not None and known.has_port(port) and (known.given or namespace_of(host) is not None)


def _stands_for_services(index: Index, domain: str, port: int) -> bool:
    """A wildcard that covers a known Service stands for these alone, and makes no virtual host of its own."""
    return any(overlap(domain, known.host) and known.has_port(port) for known in index.registry.by_host.values())
