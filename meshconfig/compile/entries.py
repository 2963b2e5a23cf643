"""Entries: each path repeats the routes of its service, and every route sets or removes the tag for later hops."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from meshconfig.compile.conditions import both, condition, cookie_condition, path
from meshconfig.compile.external import keeping_baggage
from meshconfig.compile.links import link_routes
from meshconfig.compile.names import lane_hosts
from meshconfig.compile.services import (
    Destinations,
    istio_fields,
    lane_or_refusal,
    lane_route,
    rule_routes,
    weighed,
    with_fields,
    with_mirror,
    with_trail,
)
from meshconfig.compile.sticky import Share, bucket_routes, draw, shares
from meshconfig.istio.hosts import covers
from meshconfig.load import FieldPath
from meshconfig.model import (
    GATEWAY_BACKEND,
    HOSTNAMES,
    Condition,
    Entry,
    LaneHost,
    Listener,
    Name,
    Origin,
    OwnGateway,
    RemoveTag,
    Route,
    RouteId,
    RouteKind,
    SetTag,
    TagChange,
    Target,
)
from meshconfig.spec import Entry as EntrySpec
from meshconfig.spec import GatewayRef, LaneGroup, PathRoute, ServiceInGroup
from meshconfig.spec.group import LANE, REDIRECTED
from meshconfig.spec.match import StringMatch


def entry(
    group: LaneGroup,
    index: int,
    resource: Name,
    services: Mapping[str, ServiceInGroup],
    names: Mapping[str, Name],
) -> Entry:
    """Compiles one entry: its Gateway and its routes, path by path in the spec's order.

    Parameters:
        index: the entry's index in the spec.
        resource: the namespace and name of the entry's resources.
        services: the group's services by name.
        names: the namespace and name of each lane host's resource, by host.
    """
    spec = group.spec.entries[index]
    field: FieldPath = ("spec", "entries", index)
    hosts = lane_hosts(group, spec)
    own = None if spec.gateway.use else _own_gateway(group, index, resource, tuple(hosts.values()))
    return Entry(
        resource,
        spec.hosts,
        spec.gateway.use or "/".join(resource),
        (*link_routes(spec, group, field), *_routes(spec, services, field)),
        own,
        tuple(
            LaneHost(names[host], host, lane, tuple(_routes(spec, services, field, lane)))
            for lane, host in hosts.items()
        ),
        spec.gateway.listener or "",
        HOSTNAMES if group.spec.backend == GATEWAY_BACKEND else None,
    )


def _routes(
    spec: EntrySpec, services: Mapping[str, ServiceInGroup], field: FieldPath, lane: str | None = None
) -> Iterator[Route]:
    """The routes of all paths. `lane`: that of a host whose requests are all in one lane."""
    for number, one in enumerate(spec.routes):
        yield from _path_routes(spec, services[one.service], field, number, lane)


def _own_gateway(group: LaneGroup, index: int, resource: Name, lane_hosts: tuple[str, ...]) -> OwnGateway:
    entry = group.spec.entries[index]
    return OwnGateway(
        resource,
        tuple(sorted(entry.gateway.selector.items())),
        entry.hosts,
        tuple(_listeners(entry.gateway)),
        entry.gateway.class_name,
        lanes=(pattern,) if (pattern := _pattern(group, entry)) else lane_hosts,
        origin=("spec", "entries", index, "hosts"),
    )


def _pattern(group: LaneGroup, entry: EntrySpec) -> str:
    """The wildcard of the lanes' hosts, so that a lane that comes or goes does not change the Gateway; empty for none.

    Istio's Gateways share their Pods. Of two with one wildcard on a port for HTTPS istiod leaves one out, and with a
    wider one of another the requests under this one would leave that. So it is served only where it can hardly be
    somebody else's: for `{lane}.shop.a.com` beside the host `shop.a.com`, and neither for `{lane}.a.com` nor
    `shop-{lane}.a.com`. Source: istio pilot/pkg/model/gateway.go (CheckDuplicates).
    """
    if not entry.lane_hosts:
        return ""
    first, _, domain = entry.lane_hosts.partition(".")
    pattern = f"*.{domain}"
    others = (host for one in group.spec.entries if one is not entry for host in one.hosts)
    is_own = first == LANE and domain in entry.hosts and not any(covers(host, pattern) for host in others)
    return pattern if is_own or group.spec.backend == GATEWAY_BACKEND else ""


def _listeners(spec: GatewayRef) -> Iterator[Listener]:
    if spec.tls is None:
        yield Listener(spec.port or 80)
        return
    yield Listener(spec.port or 443, spec.tls.mode, spec.tls.credential_name)
    if spec.tls.https_redirect:
        yield Listener(REDIRECTED, redirect=True)


def _path_routes(
    spec: EntrySpec, service: ServiceInGroup, field: FieldPath, number: int, lane: str | None
) -> Iterator[Route]:
    """The routes of one path: the service's routes, without those that contradict the path or the method."""
    one = spec.routes[number]
    here = Condition(path=path(one.path), method=one.method)
    default = Origin((*field, "routes", number), service.name)
    fields = istio_fields(service.spec.policy)
    offered = _service_routes(spec, service, field, default, lane)
    for route in _settled_routes(spec, service, offered):
        conditions = route.conditions or (Condition(),)
        met = [joined for each in conditions if (joined := both(here, each))]
        if met:
            anything = any(joined.always for joined in met)
            narrowed = replace(
                route,
                conditions=() if anything else tuple(met),
                rewrite=None if route.refusal else _rewrite(one, met[0]),
                origin=(route.origin or default)._replace(path_route=number),
            )
            yield with_fields(narrowed, fields)


def _settled_routes(spec: EntrySpec, service: ServiceInGroup, offered: Iterable[Route]) -> Iterator[Route]:
    """The offered routes. `baggage: keep` adds a copy of each for requests with foreign baggage alone."""
    for route in offered:
        if spec.baggage == "keep" or service.spec.external:
            yield from keeping_baggage(route, service.group.spec.tag.header)
        else:
            yield route


def _rewrite(one: PathRoute, narrowed: Condition) -> str | None:
    """The rewrite of a route; Istio replaces the whole matched prefix, so it repeats what a rule added to that."""
    if one.rewrite is None or one.path.prefix is None or narrowed.path is None:
        return one.rewrite
    return one.rewrite + narrowed.path.value.removeprefix(one.path.prefix)


def _into(
    destinations: Destinations, lane: str, route_id: RouteId, conditions: tuple[Condition, ...], origin: Origin
) -> Route:
    """A route that puts requests into a lane: each goes on with the lane's tag."""
    service, targets = destinations.of, destinations.entering(lane, _tagged(lane))
    return with_mirror(service, lane_or_refusal(service, lane, route_id, conditions, targets, origin), lane)


def _service_routes(
    spec: EntrySpec, service: ServiceInGroup, field: FieldPath, default: Origin, lane_of_host: str | None
) -> Iterator[Route]:
    """The routes to a service, for any path. A lane's own host has one: it counts more than any tag."""
    destinations = Destinations(service, service.host)
    if lane_of_host:
        origin = Origin((*field, "laneHosts"), service.name)
        yield _into(destinations, lane_of_host, RouteId(RouteKind.LANE, lane_of_host), (), origin)
        return
    trusted = spec.tag == "trusted"
    # For requests in no lane: a tag from outside that no lane has must not take effect at a later service.
    nobody: TagChange = RemoveTag(baggage=True) if trusted else _tagged(service.group.spec.tag.default)
    if trusted:
        for lane, _ in service.lanes:
            yield with_mirror(service, lane_route(service, lane, destinations.entering(lane, _tagged(lane))), lane)
    if spec.cookie:
        origin = Origin((*field, "cookie"), service.name)
        for lane, _ in service.lanes:
            route_id, has_it = (
                RouteId(RouteKind.COOKIE, lane),
                (cookie_condition(spec.cookie, StringMatch(exact=lane)),),
            )
            yield _into(destinations, lane, route_id, has_it, origin)
    for index, admit in enumerate(spec.admit):
        route_id, origin = RouteId(RouteKind.ADMIT, str(index + 1)), Origin((*field, "admit", index), service.name)
        yield _into(destinations, admit.lane, route_id, (condition(admit.match),), origin)
    for route in rule_routes(service, nobody):
        yield with_mirror(service, route)
    if drawn := shares(spec, service):
        targets = {share: _of_share(destinations, share, nobody) for share in dict.fromkeys(drawn)}
        origin = Origin((*field, "sticky"), service.name)
        for share, route in bucket_routes(spec, drawn, targets, service.group.spec.tag.default, origin):
            yield with_mirror(service, route, share.lane)
        last = draw(spec, drawn, targets)
    else:
        last = weighed(with_trail(service, _split(spec, destinations)) or destinations.untagged(nobody))
    rest = Route(RouteId(RouteKind.DEFAULT), (), last, origin=default)
    # Istio mirrors by the route, not by its targets: with a split, a lane's requests would be copied with its tag.
    yield rest if splits(spec, service.group) else with_mirror(service, rest)


def _of_share(destinations: Destinations, share: Share, nobody: TagChange) -> tuple[Target, ...]:
    """Where the requests of a bucket go: as those of a split, or those without a tag."""
    tag = _tagged(share.lane) if share.lane else nobody
    if share.version:
        targets = destinations.weighted({share.version: 1}, tag)
    else:
        targets = destinations.entering(share.lane, tag) if share.lane else destinations.untagged(tag)
    return with_trail(destinations.of, weighed(targets)) if share.lane else weighed(targets)


def splits(spec: EntrySpec, group: LaneGroup) -> bool:
    """Whether an entry's split gives untagged requests to a lane other than the baseline."""
    return any(share and lane != group.spec.tag.default for lane, share in (spec.split or {}).items())


def _tagged(lane: str) -> SetTag:
    """The lane's tag in the header and in baggage: services differ in which of the two they prefer."""
    return SetTag(lane, baggage=True)


def _split(spec: EntrySpec, destinations: Destinations) -> tuple[Target, ...]:
    """The targets of a split. Each sets its lane's tag, so that a request stays in the lane at all later services."""
    shares = sorted((spec.split or {}).items())
    lanes = [(share, destinations.entering(lane, _tagged(lane))) for lane, share in shares if share]
    # A lane may have several versions with weights of their own. Scaling all to one total keeps the lanes' shares.
    common = math.lcm(*(_total(targets) for _, targets in lanes))
    return tuple(
        replace(target, weight=share * (target.weight or 1) * common // _total(targets))
        for share, targets in lanes
        for target in targets
    )


def _total(targets: tuple[Target, ...]) -> int:
    return sum(target.weight or 1 for target in targets)
