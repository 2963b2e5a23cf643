"""Why a VirtualService that looks as if it were meant for a request is not used for it.

    near_misses(index, request, decision)   every such VirtualService
    why_not_used(index, one, request)       one of them
    conditions(index, request)              what istiod reports against routes for the request

Source: as in `at_gateway` and `in_mesh`, which decide; this module says why they left a VirtualService out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from meshconfig.istio import CLUSTER_DOMAIN, MESH, VirtualService, ports
from meshconfig.istio.exports import namespaces, visible
from meshconfig.istio.gateway_api import Attached, Reported
from meshconfig.istio.gateways import Handling, bound_to
from meshconfig.istio.hosts import (
    ServiceName,
    covers,
    domain_matches,
    fqdn,
    intersection,
    is_short,
    is_wildcard,
    service_name,
)
from meshconfig.simulate.at_gateway import Listening, listening
from meshconfig.simulate.candidates import ProxyContext, candidates
from meshconfig.simulate.decision import Decision
from meshconfig.simulate.fronts import ServerHosts
from meshconfig.simulate.in_mesh import Calling, calling, names_of
from meshconfig.simulate.index import Index, resolved_hosts
from meshconfig.simulate.request import Request
from meshconfig.simulate.scope import Scope
from meshconfig.simulate.servers import GatewayPods, called_port, is_on, left_out, pods_of, reached, servers

_ALIKE = 0.8  # how much of two labels has to agree for one to be a misspelling of the other
_SHORTEST = 3  # letters; shorter labels are alike by chance


class Reason(StrEnum):
    """The kind of a near miss."""

    HALF_NAME = "half name"
    OTHER_NAMESPACE = "other namespace"
    WILDCARD = "wildcard"
    SPELLING = "spelling"
    MESH_ONLY = "mesh only"
    GATEWAY_ONLY = "gateway only"
    UNKNOWN_GATEWAY = "unknown gateway"
    OTHER_GATEWAY = "other gateway"
    NOT_SERVED = "not served"
    EXPORT_TO = "exportTo"
    SIDECAR = "sidecar"
    PROTOCOL = "protocol"
    PORT = "port"
    NO_ROUTE = "no route"
    BEHIND = "less specific"
    OLDER_WINS = "older wins"
    NOT_ATTACHED = "not attached"
    NOT_ACCEPTED = "not accepted"


# What nobody means, so that it is told also where another route takes the request.
_UNMEANT = (Reason.OLDER_WINS, Reason.HALF_NAME, Reason.NOT_ACCEPTED)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A VirtualService, or a route of the Gateway API, that nearly fits a request.

    Parameters:
        virtual_service: `namespace/name`.
        why: a sentence about it, without its name.
        kind: the kind of the resource.
    """

    virtual_service: str
    reason: Reason
    why: str
    kind: str = "VirtualService"

    def __str__(self) -> str:
        return f"{self.kind} {self.virtual_service}: {self.why}"


def near_misses(index: Index, request: Request, decision: Decision) -> tuple[NearMiss, ...]:
    """The VirtualServices that nearly fit a request, in the order of their names.

    Where a route takes the request, those alone that have the same host and would be asked but for the reason.

    Parameters:
        decision: what `simulate` says of the request; the VirtualServices in it were asked, so none of them is a miss.
    """
    asked = {one.route.virtual_service for one in decision.skipped}
    if decision.route is not None:
        asked.add(decision.route.virtual_service)
    where = _where(index, request)
    found = (_why(index, one, request, where) for one in index.given.virtual_services if one.key not in asked)
    misses = [one for one in found if one is not None]
    misses += _not_attached(index, request)
    if decision.route is not None:
        misses = [one for one in misses if one.reason in _UNMEANT]
    elif any(one.reason is not Reason.SPELLING for one in misses):
        misses = [one for one in misses if one.reason is not Reason.SPELLING]
    return tuple(sorted(misses, key=lambda one: one.virtual_service))


def _not_attached(index: Index, request: Request) -> Iterable[NearMiss]:
    """The routes of the Gateway API for the request's host that istiod attaches to nothing, or takes nothing of."""
    used = {str(one.route) for one in index.gateway_api.attached if not one.why and _counts(index, one, request)}
    for one in index.gateway_api.attached:
        invalid = index.gateway_api.invalid.get(str(one.route), "")
        why = invalid or ("" if str(one.route) in used else one.why)
        if why and _is_for(index, one, request):
            reason = Reason.NOT_ATTACHED if one.accepted else Reason.NOT_ACCEPTED
            yield NearMiss(one.route.key, reason, why, one.route.kind)


def _counts(index: Index, one: Attached, request: Request) -> bool:
    """Whether a request comes to the Gateway and the port of what a route is attached to."""
    at = bool(one.gateway) and one.port == called_port(index, request).number
    return at and request.gateway is not None and _is_for(index, one, request)


def _is_for(index: Index, one: Attached, request: Request) -> bool:
    """Whether a route's parent and hosts are those of a request, or the parent is a Gateway that is not there."""
    host, parent = request.authority_host, one.route.spec.parent_refs[one.parent]
    if request.gateway is None:
        named = one.hosts or (ServiceName(parent.name, parent.namespace or one.route.namespace).host,)
        client = request.source_namespace or "default"
        return parent.kind != "Gateway" and not {*named}.isdisjoint(names_of(host, client))
    if request.gateway in index.gateways and one.gateway in index.gateways and one.gateway != request.gateway:
        return False
    named = tuple(name.lower() for name in one.route.spec.hostnames) or ("*",)
    return parent.kind == "Gateway" and any(domain_matches(name, host) for name in named)


def conditions(index: Index, request: Request) -> tuple[Reported, ...]:
    """What istiod reports against the routes of the Gateway API that are for a request, as they are in a cluster."""
    found = index.gateway_api
    asked = {(str(one.route), one.parent): None for one in found.attached if _is_for(index, one, request)}
    said = (each for route, parent in asked for each in found.reported.get(route, ()) if each.index == parent)
    return tuple(said)


def why_not_used(index: Index, virtual_service: VirtualService, request: Request) -> NearMiss | None:
    """Why a VirtualService is not asked for a request; None where it is, or where it is not meant for it at all."""
    return _why(index, virtual_service, request, _where(index, request))


def _where(index: Index, request: Request) -> Listening | Calling:
    return calling(index, request) if request.gateway is None else listening(index, request)


def _why(index: Index, one: VirtualService, request: Request, where: Listening | Calling) -> NearMiss | None:
    if not one.spec.hosts:
        return None  # a delegate: the routes that name it say what becomes of it
    stream = where.stream.taken if where.stream is not None else None
    if one.key in {candidate.ref.virtual_service for candidate in where.candidates} or (
        stream is not None and stream.ref.virtual_service == one.key
    ):
        return None
    found = (
        _in_mesh(index, one, request, where) if isinstance(where, Calling) else _at_gateway(index, one, request, where)
    )
    return NearMiss(one.key, *found) if found else None


_Found = tuple[Reason, str] | None


def _at_gateway(index: Index, one: VirtualService, request: Request, where: Listening) -> _Found:
    host = request.authority_host
    hosts = [name for name in resolved_hosts(one) if domain_matches(name, host)]
    if not hosts:
        return _similar(index, one, [host], where, at_gateway=True)
    bound = bound_to(one.spec.gateways, one.namespace)
    if bound == {MESH}:
        return Reason.MESH_ONLY, f"it has host {hosts[0]} for sidecars alone: its `gateways` name no Gateway"
    port = called_port(index, request).number
    gateway = index.gateways.get(where.proxy.gateway or "")
    pods = pods_of(index, gateway, request) if gateway else None
    places = reached(index, pods, request, port)[0] if pods else []
    here = [place for place in places if place.gateway in bound]
    if not places and where.proxy.gateway in bound:
        return None  # the decision says why this Gateway does not take the request
    if not here:
        return _other_gateways(index, bound - {MESH}, _Reached(request, port, pods, places))
    if not visible(one.spec.export_to, one.namespace, where.proxy.namespace):
        return _not_exported(one, f"the gateway's Pods run in {where.proxy.namespace}")
    if (found := _not_served(one, hosts, here)) or (found := _wrong_routes(one, here[0])):
        return found
    if here[0].handling not in (Handling.HTTP, Handling.HTTPS):
        return None  # its tcp or tls routes were asked, and the decision has them
    if found := _no_route(
        index, one, ProxyContext(where.proxy.namespace, where.proxy.labels, here[0].server.port.number, here[0].gateway)
    ):
        return found
    return _behind(hosts, where.domain, _taker(where))


class _Reached(NamedTuple):
    """A request at a port of a gateway's Pods, and the servers there that take it."""

    request: Request
    port: int
    pods: GatewayPods | None
    places: Sequence[ServerHosts]


def _other_gateways(index: Index, bound: Iterable[str], at: _Reached) -> _Found:
    missing = [name for name in sorted(bound) if name not in index.gateways]
    if missing:
        short = missing[0].partition("/")[2]
        others = [name for name in index.gateways if name.partition("/")[2] == short]
        hint = f"; there is Gateway {others[0]}: name it so" if others else ""
        return Reason.UNKNOWN_GATEWAY, f"it names Gateway {missing[0]}, which is not there{hint}"
    told = [_about_gateway(index, name, at) for name in sorted(bound)]
    return Reason.OTHER_GATEWAY, f"it is at {', and at '.join(told)}"


def _about_gateway(index: Index, name: str, at: _Reached) -> str:
    request, port, listed = at.request, at.port, list(servers(index, name))
    if request.gateway not in (None, "*", name) and request.gateway in index.gateways:
        selectors = (index.gateways[known].spec.selector for known in (name, request.gateway))
        if len({tuple(sorted(one.items())) for one in selectors}) > 1:
            return f"Gateway {name}, on other Pods than Gateway {request.gateway}"
    if fitting := [one for one in listed if one.called == port]:
        if all(not one.serves(request.authority_host) for one in fitting):
            hosts = ", ".join(dict.fromkeys(str(host) for one in fitting for host in one.hosts))
            return f"Gateway {name}, which serves {hosts}"
        if all(not one.takes(request.scheme) for one in fitting):
            return f"Gateway {name}, which {fitting[0].handling} on port {port}"
        if at.pods is None or not at.places or not is_on(index.gateways[name], at.pods):
            return f"Gateway {name}, on other Pods"
        if out := left_out(index, at.pods, request, port, name):
            return f"Gateway {name}, and {out.why}"
        taker = at.places[0]  # of TLS, one server alone
        nearer = taker.nearest(request.authority_host)
        return f"Gateway {name}, and TLS ends at Gateway {taker.gateway}, whose host {nearer} is nearer"
    return f"Gateway {name}, on port {', '.join(str(one.called) for one in listed) or 'none'}, not {port}"


def _not_served(one: VirtualService, hosts: list[str], here: list[ServerHosts]) -> _Found:
    if any(intersection([name.lower() for name in place.hosts_for(one.namespace)], hosts) for place in here):
        return None
    listed = ", ".join(dict.fromkeys(str(host) for place in here for host in place.hosts))
    kept = any(host.owner not in ("", one.namespace) for place in here for host in place.hosts)
    end = f", to other namespaces than {one.namespace}" if kept else ""
    return Reason.NOT_SERVED, f"it has host {hosts[0]}, and Gateway {here[0].gateway} serves {listed}{end}"


def _wrong_routes(one: VirtualService, place: ServerHosts) -> _Found:
    """A VirtualService whose routes are all of a kind that the server does not ask."""
    asked = {Handling.PASSTHROUGH: "tls", Handling.TCP: "tcp", Handling.TLS: "tcp"}.get(place.handling, "http")
    given = [kind for kind in ("http", "tls", "tcp") if getattr(one.spec, kind)]
    if not given or asked in given:
        return None
    what = f"on port {place.server.port.number}, Gateway {place.gateway} {place.handling}"
    return Reason.PROTOCOL, f"it has {' and '.join(given)} routes alone; {what}, where {asked} routes apply"


def _in_mesh(index: Index, one: VirtualService, request: Request, where: Calling) -> _Found:
    client, port = where.proxy.namespace, where.proxy.port
    wanted = [*dict.fromkeys([*([where.domain] if where.domain else []), *names_of(request.authority_host, client)])]
    hosts = [name for name in resolved_hosts(one) if any(_stands_for(name, host) for host in wanted)]
    if not hosts:
        return _similar(index, one, wanted, where)
    if MESH not in bound_to(one.spec.gateways, one.namespace):
        names = ", ".join(one.spec.gateways)
        return Reason.GATEWAY_ONLY, f"it applies at {names} alone: no `mesh` is among its `gateways`"
    if not visible(one.spec.export_to, one.namespace, client):
        return _not_exported(one, f"the sender runs in {client}")
    if not Scope(index, client, request.source_labels).imports_virtual_service(one):
        return Reason.SIDECAR, f"the Sidecar resource of {client} does not import it"
    if found := _wrong_port(index, one, wanted, where):
        return found
    if found := _no_route(index, one, where.proxy):
        return found
    taken = _taker(where)
    if taken and where.domain in hosts:
        why = f"VirtualService {taken} takes {where.domain}: sidecars use one of a host, and it comes first"
        return Reason.OLDER_WINS, why
    if where.answer is not None and port is not None and not index.registry.get(hosts[0], client):
        return Reason.PORT, f"its host {hosts[0]} is no Service, so that pilot routes it on port 80 alone, not {port}"
    return _behind(hosts, where.domain, taken)


def _stands_for(name: str, host: str) -> bool:
    return covers(name, host) if is_wildcard(name) else name == host


def _wrong_port(index: Index, one: VirtualService, wanted: list[str], where: Calling) -> _Found:
    """A VirtualService whose routes are all of a kind that the protocol of the port does not ask."""
    given = [kind for kind in ("http", "tls", "tcp") if getattr(one.spec, kind)]
    service = next((known for host in wanted if (known := index.registry.by_host.get(host))), None)
    port = where.proxy.port
    if service is None or port is None or not service.has_port(port) or not given:
        return None
    protocol = service.protocol(port)
    asked = "http" if service.is_http(port) else "tls" if protocol in ports.TLS else "tcp"
    if asked in given:
        return None
    said = f"port {port} of {service.host} is {protocol or 'HTTP, as it declares nothing else,'} by its name"
    return Reason.PROTOCOL, f"it has {' and '.join(given)} routes alone; {said}, where {asked} routes apply"


def _no_route(index: Index, one: VirtualService, proxy: ProxyContext) -> _Found:
    own = list(candidates(index.routes(one), proxy))
    if not own or not all(candidate.kept_out.mismatches for candidate in own):
        return None
    why = ", ".join(str(mismatch) for mismatch in own[0].kept_out.mismatches)
    return Reason.NO_ROUTE, f"none of its routes is in force here: {why}"


def _taker(where: Listening | Calling) -> str:
    return where.candidates[0].ref.virtual_service if where.candidates else ""


def _behind(hosts: list[str], domain: str, taker: str) -> _Found:
    if not domain or domain in hosts:
        return None
    whose = f", which VirtualService {taker} has" if taker else ""
    return Reason.BEHIND, f"its host {hosts[0]} is behind {domain}{whose}: the most specific host is asked alone"


def _not_exported(one: VirtualService, where: str) -> _Found:
    seen = ", ".join(sorted(namespaces(one.spec.export_to, one.namespace))) or "nobody"
    return Reason.EXPORT_TO, f"it is exported to {seen} alone (`exportTo`), and {where}"


def _similar(
    index: Index, one: VirtualService, wanted: list[str], where: Listening | Calling, *, at_gateway: bool = False
) -> _Found:
    """A host that is not the one that is asked for, but looks as if it were meant."""
    for written in (host.lower() for host in one.spec.hosts):
        found = None if at_gateway else _half(index, one, written, wanted)
        if found := found or _bare(written, wanted):
            return found
    if where.candidates:
        return None  # a host that has routes is not misspelt
    for name, host in product((*resolved_hosts(one), *one.spec.hosts), wanted):
        if _misspelt(name.lower(), host):
            return Reason.SPELLING, f"its host is {name}, not {host}"
    return None


def _misspelt(name: str, host: str) -> bool:
    """Whether two hosts differ in one label, by a letter or two. `web-1` and `web-2` are two names."""
    pairs = [(one, other) for one, other in zip(name.split("."), host.split("."), strict=False) if one != other]
    if name.count(".") != host.count(".") or len(pairs) != 1:
        return False
    one, other = pairs[0]
    if min(len(one), len(other)) < _SHORTEST or _without_digits(one) == _without_digits(other):
        return False
    return SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _without_digits(label: str) -> str:
    return "".join(char for char in label if not char.isdigit())


def _half(index: Index, one: VirtualService, written: str, wanted: list[str]) -> _Found:
    """`cat.demo`, which is a host of its own to Istio; and `cat` in another namespace than the Service's."""
    full = f"{written.removesuffix('.svc')}.{CLUSTER_DOMAIN}"
    if "." in written and any(_stands_for(full, host) for host in wanted):
        return (
            Reason.HALF_NAME,
            f"its host {written} is no Service to Istio, which completes no name with a dot: write {full}",
        )
    named = (service_name(host) for host in wanted)
    own = fqdn(written, one.namespace)
    # Where the VirtualService's namespace has a Service of that name, it is meant for that one.
    if own not in index.registry.by_host and is_short(written) and any(it and it.name == written for it in named):
        return Reason.OTHER_NAMESPACE, f"its host {written} is short for {own}, after its own namespace"
    return None


def _bare(written: str, wanted: list[str]) -> _Found:
    if written.startswith("*.") and written[2:] in wanted:
        return Reason.WILDCARD, f"its host {written} stands for names below {written[2:]}, not for {written[2:]} itself"
    return None
