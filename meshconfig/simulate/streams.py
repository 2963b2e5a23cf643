"""Connections in which a proxy reads no HTTP: which `tcp` or `tls` route takes them.

Pilot collects the tcp routes of every VirtualService of a host, in its order; the first whose conditions the proxy
meets takes all connections. A tls route asks for the TLS server name (SNI) besides, and Envoy takes the most specific.
At a gateway pilot compares only `port` and `gateways`.
Source: pilot networking/core/tls.go (matchTCP, matchTLS) and gateway.go (buildGatewayNetworkFiltersFrom…Routes).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from meshconfig.istio import VirtualService
from meshconfig.istio.gateways import gateway_name
from meshconfig.istio.hosts import domain_matches, fqdn, specificity
from meshconfig.istio.routes import Mismatch, RouteRef
from meshconfig.istio.types import L4Match, OtherRouteDestination, TCPRoute, TLSMatch
from meshconfig.simulate.candidates import ProxyContext

Kind = Literal["tcp", "tls"]


class StreamRoute(NamedTuple):
    """A `tcp` or `tls` route, its destinations with their hosts in full."""

    ref: RouteRef
    route: TCPRoute


@dataclass(slots=True)
class StreamChoice:
    """The route that takes a connection, if any, and why the others do not.

    Parameters:
        taken: None where no route does.
        skipped: each route that does not, with the conditions of its matches that do not hold.
        closed: a proxy with these routes has no other way for the connection, so that it closes it.
        undecided: what could change the answer and is not known, one sentence each.
    """

    taken: StreamRoute | None = None
    closed: bool = False
    skipped: list[tuple[RouteRef, tuple[tuple[Mismatch, ...], ...]]] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)


def by_port(virtual_services: Iterable[VirtualService], proxy: ProxyContext) -> StreamChoice:
    """The tcp route for a connection that arrives at `proxy.port`."""
    choice = StreamChoice()
    for one in _routes(virtual_services, "tcp"):
        reasons = [_kept_out(match, one, proxy) for match in one.route.match]
        if one.route.match and all(reasons):
            choice.skipped.append((one.ref, tuple(reasons)))
            continue
        choice.taken = one
        choice.undecided += _unknown(one, one.route.match, proxy)
        return choice
    return choice


def by_server_name(virtual_services: Iterable[VirtualService], proxy: ProxyContext, name: str) -> StreamChoice:
    """The tls route for a TLS connection.

    Parameters:
        name: the server name that the client asks for (SNI); empty where it sends none, as in plain HTTP.
    """
    choice = StreamChoice()
    found: list[tuple[str, StreamRoute, TLSMatch]] = []
    for one in _routes(virtual_services, "tls"):
        matches = [match for match in one.route.match if isinstance(match, TLSMatch)]  # all of them: it is a tls route
        kept_out = [_kept_out(match, one, proxy) for match in matches]
        choice.closed |= not all(kept_out)
        reasons = [why or _other_name(match, name) for why, match in zip(kept_out, matches, strict=True)]
        if all(reasons):
            choice.skipped.append((one.ref, tuple(reasons)))
        for match, reason in zip(matches, reasons, strict=True):
            found += [(sni, one, match) for sni in match.sni_hosts if not reason and domain_matches(sni.lower(), name)]
    if found:
        # Of two matches with one name, pilot drops the later, as Envoy refuses it.
        _, choice.taken, match = max(found, key=lambda one: specificity(one[0]))
        choice.undecided += _unknown(choice.taken, (match,), proxy)
    return choice


def _unknown(one: StreamRoute, matches: Iterable[L4Match], proxy: ProxyContext) -> Iterator[str]:
    """What the matches ask for and the simulation does not know."""
    if any(match.destination_subnets for match in matches):
        yield f"{one.ref} asks for the address that is called (destinationSubnets)"
    if proxy.labels is None and any(match.source_labels for match in matches):
        yield f"{one.ref} asks for the sender's labels, which are not known"


def _routes(virtual_services: Iterable[VirtualService], kind: Kind) -> Iterator[StreamRoute]:
    """Those with a destination: pilot leaves out the others."""
    for owner in virtual_services:
        for index, route in enumerate(owner.spec.tcp if kind == "tcp" else owner.spec.tls):
            if route.route:
                yield StreamRoute(RouteRef(owner.key, index, kind=kind), _resolved(route, owner.namespace))


def _resolved(route: TCPRoute, namespace: str) -> TCPRoute:
    def full(one: OtherRouteDestination) -> OtherRouteDestination:
        host = fqdn(one.destination.host, namespace)
        return one.model_copy(update={"destination": one.destination.model_copy(update={"host": host})})

    def named(match: L4Match) -> L4Match:
        return match.model_copy(update={"gateways": tuple(gateway_name(one, namespace) for one in match.gateways)})

    update = {"route": tuple(map(full, route.route)), "match": tuple(map(named, route.match))}
    return route.model_copy(update=update)


def _kept_out(match: L4Match, one: StreamRoute, proxy: ProxyContext) -> tuple[Mismatch, ...]:
    mismatches = []
    if match.port and match.port != proxy.port:
        mismatches.append(Mismatch("port", str(match.port), str(proxy.port)))
    if match.gateways and proxy.gateway not in match.gateways:
        mismatches.append(Mismatch("gateways", ", ".join(match.gateways), proxy.gateway))
    if proxy.is_gateway:
        return tuple(mismatches)
    mismatches += [
        Mismatch(f"sourceLabels {name}", value, (proxy.labels or {}).get(name))
        for name, value in match.source_labels.items()
        if proxy.labels is not None and proxy.labels.get(name) != value
    ]
    if match.source_namespace and match.source_namespace != proxy.namespace:
        mismatches.append(Mismatch("sourceNamespace", match.source_namespace, proxy.namespace))
    return tuple(mismatches)


def _other_name(match: TLSMatch, name: str) -> tuple[Mismatch, ...]:
    if any(domain_matches(sni.lower(), name) for sni in match.sni_hosts):
        return ()
    return (Mismatch("sniHosts", ", ".join(match.sni_hosts), name or None),)
