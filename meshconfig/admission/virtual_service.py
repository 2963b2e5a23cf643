"""VirtualServices, as Istio's webhook judges them.

Source: istio pkg/config/validation, validation.go (ValidateVirtualService).
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from meshconfig.admission import formats
from meshconfig.admission.http_route import check_http_route, check_where
from meshconfig.admission.parts import Part, check_destinations, check_export_to, check_gateways, items
from meshconfig.admission.refusals import At, Refusals
from meshconfig.istio.hosts import wildcards_above
from meshconfig.istio.matches import claim_path

MESH = "mesh"
_SNI_PREFIX = "outbound_"


def check_virtual_service(spec: Part, at: At, out: Refusals, *, namespace: str) -> None:
    hosts, gateways = items(spec, "hosts"), items(spec, "gateways")
    at_gateway = bool(gateways) and MESH not in gateways
    if not hosts:
        _check_delegate(spec, at, out)
    check_gateways(gateways, (at, "gateways"), out)
    _check_hosts(hosts, (at, "hosts"), out, at_gateway=at_gateway, sni=at_gateway and _has_sni(spec))
    if not (items(spec, "http") or items(spec, "tcp") or items(spec, "tls")):
        out.missing(at, "http, tcp or tls is missing: a VirtualService has routes")
    for number, route in enumerate(items(spec, "http")):
        here = ((at, "http"), number)
        check_http_route(route, here, out, delegate=not hosts)
        if not at_gateway:
            _check_claims(route, here, out)
    named = frozenset(hosts)
    for number, route in enumerate(items(spec, "tls")):
        # Istio counts a VirtualService without gateways as one of a gateway here, and takes more names for it.
        _check_tls_route(route, named, ((at, "tls"), number), out, at_gateway=MESH not in gateways)
    for number, route in enumerate(items(spec, "tcp")):
        _check_tcp_route(route, ((at, "tcp"), number), out)
    check_export_to(items(spec, "exportTo"), namespace, (at, "exportTo"), out)


def _check_delegate(spec: Part, at: At, out: Refusals) -> None:
    for field in ("gateways", "tls", "tcp"):
        if items(spec, field):
            out.contradiction(
                (at, field), f"a VirtualService without hosts is a delegate, which has no {field}: add hosts"
            )


def _has_sni(spec: Part) -> bool:
    return any(items(match, "sniHosts") for route in items(spec, "tls") for match in items(route, "match"))


def _check_hosts(hosts: Sequence[str], at: At, out: Refusals, *, at_gateway: bool, sni: bool) -> None:
    valid = True
    for number, host in enumerate(hosts):
        why = _domain(host, sni=sni)
        if why and not formats.is_ip(host):
            out.bad((at, number), why)
            valid = False
        elif not why and host == "*" and not at_gateway:
            out.bad((at, number), "host * is for Gateways alone: name the hosts, or the Gateway in gateways")
            valid = False
    if valid and len(hosts) > 1:
        _check_apart(hosts, at, out)


def _domain(host: str, *, sni: bool) -> str:
    """A host name. `sni`: also one that Istio makes itself between clusters, `outbound_.80_._.HOST`."""
    if not sni or not host.startswith(_SNI_PREFIX) or len(host.encode()) > formats.LONGEST_DOMAIN:
        return formats.wildcard_domain(host)
    labels = host.split("_")
    fits = len(labels) > 3 and any(c.isdigit() and c.isascii() for c in labels[1].strip("."))
    named = fits and any(c.isalpha() and c.isascii() for c in labels[3].strip("."))
    return "" if named else f"{host!r} is not of the form outbound_.PORT_._.HOST"


def _check_apart(hosts: Sequence[str], at: At, out: Refusals) -> None:
    """No host of a VirtualService covers another one. Looked up by endings, so that many hosts cost little."""
    first: dict[str, int] = {}
    for number, host in enumerate(hosts):
        first.setdefault(host, number)
    for number, host in enumerate(hosts):
        # A wildcard's own text is among what covers it; then another entry of the same text is wanted.
        other = next((one for one in _covering(host) if first.get(one, number) != number), None)
        if other == host:
            out.repeated((at, number), f"{host} stands in [{first[host]}] already: delete one")
        elif other is not None:
            out.repeated((at, number), f"{other} in the same list covers {host}: delete one")


def _covering(host: str) -> Iterator[str]:
    """Every text that covers a host: its own, and the wildcard of each ending. Source: pkg/config/host, SubsetOf."""
    return chain((host,), wildcards_above(host))


def _check_claims(route: Part, at: At, out: Refusals) -> None:
    for number, match in enumerate(items(route, "match")):
        for field in ("headers", "withoutHeaders"):
            for name in match.get(field) or ():
                if claim_path(name) is not None:
                    place = ((((at, "match"), number), field), name)
                    out.contradiction(
                        place, "only Gateways route by a JWT's claims: name one in gateways, without mesh"
                    )


def _check_tls_route(route: Part, hosts: frozenset[str], at: At, out: Refusals, *, at_gateway: bool) -> None:
    if route.get("match") == []:
        out.missing((at, "match"), "a tls route has matches: match: [{sniHosts: [reviews.example.com]}]")
    for number, match in enumerate(items(route, "match")):
        _check_tls_match(match, hosts, ((at, "match"), number), out, at_gateway=at_gateway)
    _check_l4_route(route, at, out)


def _check_tls_match(match: Part, hosts: frozenset[str], at: At, out: Refusals, *, at_gateway: bool) -> None:
    names = items(match, "sniHosts")
    if match.get("sniHosts") == []:
        out.missing((at, "sniHosts"), "a match of tls names hosts: sniHosts: [reviews.example.com]")
    for number, name in enumerate(names):
        why = _domain(name, sni=at_gateway)
        if why and not formats.is_ip(name):
            out.bad(((at, "sniHosts"), number), why)
        elif not why and not any(one in hosts for one in _covering(name)):
            out.contradiction(((at, "sniHosts"), number), f"{name} is not among the hosts of this VirtualService")
    _check_l4_match(match, at, out)


def _check_tcp_route(route: Part, at: At, out: Refusals) -> None:
    for number, match in enumerate(items(route, "match")):
        _check_l4_match(match, ((at, "match"), number), out)
    _check_l4_route(route, at, out)


def _check_l4_match(match: Part, at: At, out: Refusals) -> None:
    for number, subnet in enumerate(items(match, "destinationSubnets")):
        out.bad(((at, "destinationSubnets"), number), formats.subnet(subnet))
    check_where(match, at, out)


def _check_l4_route(route: Part, at: At, out: Refusals) -> None:
    if not items(route, "route"):
        out.missing(at, "route is missing: route: [{destination: {host: reviews}}]")
    check_destinations(items(route, "route"), (at, "route"), out)
