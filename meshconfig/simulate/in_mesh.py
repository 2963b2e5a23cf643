"""A request that a sidecar sends: the virtual host of its Envoy that takes it, and the routes there.

In the mesh, pilot does not merge the VirtualServices of one host. The first one that has any route for this proxy takes
the host: private VirtualServices before public ones, older before newer. Pilot ignores a VirtualService if the proxy
gets none of its routes (because of sourceLabels, gateways or port).
An ExternalName has no virtual host of its own: its names are among those of the Service that it stands for. Below the
name of a headless Service, its Pods have names, which its virtual host takes too.
Source: pilot networking/core/httproute.go (generateVirtualHostDomains, dedupeDomains), route.go
(BuildSidecarVirtualHostWrapper), tls.go, and model/push_context.go (resolveServiceAliases).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from meshconfig.istio import CLUSTER_DOMAIN, VirtualService, ports
from meshconfig.istio.exports import visible
from meshconfig.istio.hosts import covers, domain_matches, is_wildcard, overlap, specificity
from meshconfig.istio.services import KnownService
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates
from meshconfig.simulate.decision import NO_CONNECTION, Failure, Passthrough
from meshconfig.simulate.index import Index, resolved_hosts
from meshconfig.simulate.request import Request
from meshconfig.simulate.scope import Scope
from meshconfig.simulate.streams import StreamChoice, by_port, by_server_name

_HTTP_PORT = 80


@dataclass(slots=True)
class Calling:
    """What a sidecar does with a request: a virtual host with routes takes it, or a Service without routes, or neither.

    Parameters:
        proxy: the Envoy that routes the request.
        domain: the pattern of the virtual host.
        candidates: the matches in the order in which Envoy tries them; empty where no route applies.
        stream: the route of a port on which the sidecar reads no HTTP.
        service: the Service that takes the request where no route applies.
        pod: the Pod of a headless Service that the host names; empty for any other host.
        answer: the outcome where no virtual host and no Service takes the request.
        undecided: what could change the answer and is not known, one sentence each.
        assumed: what the resources do not say and is taken for given, one sentence each.
    """

    proxy: ProxyContext
    domain: str = ""
    candidates: list[Candidate] = field(default_factory=list)
    stream: StreamChoice | None = None
    service: KnownService | None = None
    pod: str = ""
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
    if service is not None and service.external_name:
        _to_alias(index, scope, service, request, found)
    elif service is not None:
        _to_service(index, scope, service, request, found)
    elif (headless := _headless(index, scope, request, namespace)) is not None:
        found.pod = request.authority_host.partition(".")[0]
        _to_service(index, scope, headless, request, found)
    else:
        _to_other_host(index, scope, request, found)
    return found


def names_of(host: str, client: str) -> Iterator[str]:
    """The full names that a client in a namespace may mean by a host, as DNS completes it."""
    host = host.rstrip(".")
    yield host
    name = f"{host}.{client}" if "." not in host else host
    yield f"{name.removesuffix('.svc')}.{CLUSTER_DOMAIN}"


def _service(index: Index, scope: Scope, request: Request, client: str) -> KnownService | None:
    """The Service that a client means by a host, which may lack the DNS search suffix of the client's namespace."""
    for full in names_of(request.authority_host, client):
        known = index.registry.get(full, client)
        if known is None or not (known.given or _is_named(index, known, request.authority_host.rstrip("."))):
            continue
        if scope.imports_service(known):
            return known
    return None


def _headless(index: Index, scope: Scope, request: Request, client: str) -> KnownService | None:
    """The headless Service that a Pod's name belongs to: `pod-0.db`, `pod-0.db.demo`, and so on."""
    host = request.authority_host
    names = [*names_of(host, client), *([f"{host}.{client}.{CLUSTER_DOMAIN}"] if host.count(".") == 1 else [])]
    found = (index.registry.headless_above(name) for name in names)
    return next((one for one in found if one and _sees(scope, client, one)), None)


def _is_named(index: Index, known: KnownService, host: str) -> bool:
    """Whether to assume a Service that is not given. `a.b` may also be a domain, so a VirtualService must name it."""
    return "." not in host or ".svc" in host or index.names_in_mesh(known.host)


def _port(service: KnownService, request: Request, said: int | None) -> int | None:
    """The port that is called: the one that the request says, the Service's only one, or its scheme's own."""
    usual = ports.BY_SCHEME.get(request.scheme)
    return said or service.only_port or (usual if service.given and service.has_port(usual) else None)


def _to_service(index: Index, scope: Scope, service: KnownService, request: Request, found: Calling) -> None:
    port = _port(service, request, found.proxy.port)
    found.proxy = replace(found.proxy, port=port)
    found.domain, found.service = service.host, service
    if not service.given:
        found.assumed.append(f"there is a Service {service.host}" + (f" with port {port}" if port else ""))
    elif not service.has_port(port):
        known = ", ".join(map(str, service.ports or ())) or "none"
        found.service, found.answer = None, Passthrough(service.host, f"the Service has no port {port}, but {known}")
        return
    elif port is None:
        found.undecided.append(f"which port of {service.host} is called")
    elif not service.is_http(port):
        _find_stream(index, scope, service, request, found)
        return
    if request.scheme == "https":
        why = f"on port {port} of {service.host} it routes HTTP, and lets TLS pass"
        found.undecided.append(f"whether the sidecar reads this request: {why}")
    _attach(index, scope, service, found)
    _prefer_literal(index, scope, service, request, found)


def _find_stream(index: Index, scope: Scope, service: KnownService, request: Request, found: Calling) -> None:
    """Finds the `tcp` or `tls` route of a port that is not HTTP."""
    listed = index.with_streams(service.host, found.proxy.namespace, scope.imports_virtual_service)
    protocol, port = service.protocol(found.proxy.port), found.proxy.port
    if protocol in ports.TLS:
        found.stream = by_server_name(listed, found.proxy, request.authority_host if request.scheme == "https" else "")
    else:
        found.stream = by_port(listed, found.proxy)
    if found.stream.taken is not None:
        found.service = None
    elif found.stream.closed:
        why = f"no connection: port {port} of {service.host} has tls routes, for other server names"
        found.service, found.answer = None, Failure(NO_CONNECTION, why)
    else:
        found.assumed.append(
            f"port {port} of {service.host} is {protocol}, not HTTP, by its name: no http route applies"
        )


def _prefer_literal(index: Index, scope: Scope, service: KnownService, request: Request, found: Calling) -> None:
    """Gives the request to a VirtualService whose host is what the client wrote, such as `cat.demo`, if pilot does.

    To pilot that is a host without a Service. Its virtual host takes the name from the Service's, unless an older
    VirtualService of the Service has taken it before. The name of a Pod belongs to the most specific host.
    """
    host = request.authority_host
    declared = service.protocol(found.proxy.port) in ports.HTTP and service.given
    if host == service.host or not declared or not index.names_in_mesh(host) or found.proxy.port is None:
        return
    other = Calling(found.proxy)
    if not _take(index, scope, host, found.proxy.port, other):
        return
    first = [one.ref.virtual_service for one in (*other.candidates[:1], *found.candidates[:1])]
    if found.pod or index.first_of(first, found.proxy.namespace) == first[0]:
        found.domain, found.candidates, found.service = host, other.candidates, None


def _to_alias(index: Index, scope: Scope, alias: KnownService, request: Request, found: Calling) -> None:
    """Finds the routes of an ExternalName: those of the Service behind it, or of a VirtualService of its own name."""
    target = index.registry.behind(alias)
    service = index.registry.get(target, found.proxy.namespace) if target else None
    if service is not None and scope.imports_service(service):
        _to_service(index, scope, service, request, found)
    else:
        found.proxy = replace(found.proxy, port=_port(alias, request, found.proxy.port) or _HTTP_PORT)
        what = "which no Service or ServiceEntry has" if target else "which leads back to it"
        found.answer = Passthrough(alias.host, f"it is an ExternalName of {alias.external_name}, {what}")
    _prefer_own(index, scope, alias, service, request, found)


def _prefer_own(
    index: Index, scope: Scope, alias: KnownService, service: KnownService | None, request: Request, found: Calling
) -> None:
    """Gives the request to a VirtualService of an ExternalName's own host, if pilot does.

    On the ports that the ExternalName lists, it counts as any Service; on port 80, its full name is a host without one.
    """
    port = found.proxy.port
    sniffed = service is not None and service.given and service.protocol(port) == ports.SNIFFED
    if found.stream is not None or port is None or sniffed:
        return
    other = Calling(found.proxy)
    if port in (alias.ports or ()) and alias.is_http(port):
        _attach(index, scope, alias, other)
    elif request.authority_host == alias.host:
        _take(index, scope, alias.host, port, other)
    first = [one.ref.virtual_service for one in (*other.candidates[:1], *found.candidates[:1])]
    if other.candidates and index.first_of(first, found.proxy.namespace) == first[0]:
        found.domain, found.candidates, found.service, found.answer = alias.host, other.candidates, None, None


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
            if entry.is_http(port):
                _attach(index, scope, entry, found)
            else:
                _find_stream(index, scope, entry, request, found)
            return
        if _take(index, scope, domain, port, found):
            return
    found.answer = Passthrough(host, "no Service and no VirtualService of the mesh has this host")


def _take(index: Index, scope: Scope, domain: str, port: int, found: Calling) -> bool:
    """Takes the VirtualService of a host without a Service, if pilot makes a virtual host for it on this port."""
    known = [
        one
        for one in index.registry.by_host.values()
        if one.has_port(port) and _sees(scope, found.proxy.namespace, one)
    ]
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


def _sees(scope: Scope, client: str, service: KnownService) -> bool:
    seen = visible(service.export_to, service.namespace, client)
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
