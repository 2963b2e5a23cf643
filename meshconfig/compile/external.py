"""Services outside the mesh: their hosts, what proxies do before a request leaves, and the problems of such a service.

Every target outside removes the tag. Where a request has W3C baggage with the tag's member, the whole header is
removed, because Istio's header operations cannot take out one member; other baggage stays (docs/external.md).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.compile.conditions import both, foreign_baggage
from meshconfig.load import FieldPath
from meshconfig.model import (
    Condition,
    IstioFields,
    Name,
    Origin,
    OutsideHost,
    RemoveTag,
    Route,
    RouteId,
    RouteKind,
    RouteTable,
    Subset,
    SubsetTable,
    Target,
)
from meshconfig.spec import LaneGroup, ServiceInGroup
from meshconfig.spec.external import why_not_outside

SERVICES: FieldPath = ("spec", "services")
Wrong = tuple[FieldPath, str]


def target(one: ServiceInGroup, version: str, weight: int | None = None) -> Target:
    """The target for a version outside the mesh: by the egress gateway, where the service has one."""
    host, egress = one.spec.versions[version].host or "", one.spec.external.egress if one.spec.external else None
    gone = RemoveTag(baggage=True)
    if egress:
        return Target(egress.host, egress.port, "", weight, gone, authority=host)
    return Target(host, one.spec.port, version, weight, gone, authority=host)


def keeping_baggage(route: Route, tag: str) -> Iterator[Route]:
    """A route to hosts outside, after a copy that leaves baggage alone where none of its members is the tag's."""
    foreign = foreign_baggage(tag)
    # A condition on the tag's member never holds for a request that has foreign members alone.
    plain = [one for one in route.conditions or (Condition(),) if BAGGAGE not in dict(one.headers)]
    met = tuple(joined for one in plain if (joined := both(foreign, one)))
    if met and not route.refusal:
        yield replace(route, conditions=met, targets=tuple(map(_keeping, route.targets)))
    yield route


def _keeping(one: Target) -> Target:
    """A target that leaves baggage as it came."""
    return replace(one, tag=replace(one.tag, baggage=False)) if one.tag else one


def subset_tables(one: ServiceInGroup, policy: IstioFields) -> Iterator[SubsetTable]:
    """A subset table for each host: its one subset is the version, its policy has the TLS that proxies make."""
    for name, host, version in _hosts(one):
        yield SubsetTable(name, host, (Subset(version, (), version=version),), {**policy, **_tls(one, version)})


def outside_hosts(one: ServiceInGroup) -> Iterator[OutsideHost]:
    """What Istio has to know of each host. A called host that is no version's leads to the baseline's."""
    assert one.spec.external is not None  # asked of services outside the mesh alone
    for name, host, version in _hosts(one):
        address = one.spec.versions[version].host or ""
        alias = "" if address == host else address
        yield OutsideHost(name, host, one.spec.port, one.spec.external.target_port, alias)


def own_tables(one: ServiceInGroup) -> Iterator[RouteTable]:
    """The routes of each version's own host, so that a caller who names it sends no tag outside either."""
    for name, host, version in _hosts(one):
        if host != one.host:
            route = _all_to(one, target(one, version), version)
            routes = tuple(keeping_baggage(route, one.group.spec.tag.header))
            yield RouteTable(name, (host,), ("mesh",), routes, port=one.spec.port)


def egress_tables(one: ServiceInGroup) -> Iterator[RouteTable]:
    """The routes at the egress gateway, one table for each version's host; sidecars have chosen the version."""
    egress = one.spec.external.egress if one.spec.external else None
    for name, host, version in _hosts(one) if egress else ():
        if egress and host == one.spec.versions[version].host:
            place = Name(name.namespace, f"{name.name}-egress")
            leads = _all_to(one, Target(host, one.spec.port, version), version)
            yield RouteTable(place, (host,), (egress.gateway,), (leads,))


def _all_to(one: ServiceInGroup, leads: Target, version: str) -> Route:
    origin = Origin((*SERVICES, one.name, "versions", version), one.name)
    return Route(RouteId(RouteKind.DEFAULT), (), (leads,), origin=origin)


def _hosts(one: ServiceInGroup) -> Iterator[tuple[Name, str, str]]:
    """Each host with the name of its resources and its version: the versions' by name, and the one that is called."""
    namespace = one.group.metadata.namespace
    found = {version.host: name for name, version in sorted(one.spec.versions.items()) if version.host}
    if one.host not in found:
        weights = sorted(one.spec.weights or {}, key=lambda name: -(one.spec.weights or {})[name])
        found[one.host] = one.baseline or next(iter(weights), min(one.spec.versions))
    return ((Name(namespace, host), host, version) for host, version in found.items())


def _tls(one: ServiceInGroup, version: str) -> Mapping[str, Any]:
    """The TLS that proxies make to a version's host. The certificate has to be of that host."""
    external, host = one.spec.external, one.spec.versions[version].host
    if external is None or external.tls is None:
        return {}
    files = {"caCertificates": external.ca_certificates} if external.ca_certificates else {}
    return {"tls": {"mode": external.tls, "sni": host, "subjectAltNames": [host], **files}}


def problems(group: LaneGroup) -> Iterator[Wrong]:
    """What keeps services outside the mesh from being that: hosts inside it, and one host for two of them."""
    outside = [name for name, one in group.spec.services.items() if one.external]
    hosts = {one.host: name for name, one in group.spec.services.items()} if outside else {}
    taken: dict[str, str] = {}
    for name in outside:
        service, where = group.service(name), (*SERVICES, name)
        if why := why_not_outside(service.spec.host):
            yield (*where, "host"), why
        yield from _version_hosts(service, where, hosts, taken)
        yield from _not_expressible(service, where)


def _version_hosts(
    service: ServiceInGroup, where: FieldPath, hosts: dict[str, str], taken: dict[str, str]
) -> Iterator[Wrong]:
    """`hosts`: each host that callers call, with its service; `taken`: those of versions before."""
    for version, one in service.spec.versions.items():
        at, host = (*where, "versions", version, "host"), one.host or ""
        if why := why_not_outside(host):
            yield at, why
        if hosts.get(host, service.name) != service.name:
            yield at, f"service {hosts[host]} has this host already: give them versions of one service"
        elif (first := taken.setdefault(host, f"{service.name}/{version}")) != f"{service.name}/{version}":
            yield at, f"{first} has this host already: leave {version} out, so that its lanes use the baseline's"


def _not_expressible(service: ServiceInGroup, where: FieldPath) -> Iterator[Wrong]:
    for index, rule in enumerate(service.spec.rules):
        if BAGGAGE in rule.match.headers:
            message = f"the header {BAGGAGE} is matched by the routes that take the tag out of it: match another header"
            yield (*where, "rules", index, "match"), message
    for name in _copies(service.spec.policy):
        yield (*where, "policy", name), "a copy would go outside with the name of another host: leave it away"


def _copies(policy: Iterable[str]) -> list[str]:
    return [name for name in ("mirror", "mirrors") if name in policy]
