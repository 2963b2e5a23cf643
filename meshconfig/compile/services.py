"""A service's routes between services, and its subsets."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from meshconfig.compile import external
from meshconfig.compile.conditions import both, condition, tagged
from meshconfig.compile.names import service_resource
from meshconfig.load import FieldPath
from meshconfig.model import (
    Autoscaler,
    Condition,
    Failover,
    IstioFields,
    Name,
    Origin,
    Outside,
    Route,
    RouteId,
    RouteKind,
    Service,
    ServicePort,
    StringMatch,
    Subset,
    TagChange,
    Target,
)
from meshconfig.spec import ServiceInGroup, ServiceSpec

SERVICES: FieldPath = ("spec", "services")


def service(one: ServiceInGroup) -> Service:
    """Compiles one service: its subsets, its routes between services, its autoscalers."""
    policy = istio_fields(one.spec.traffic_policy)
    return Service(
        name=one.name,
        resource=service_resource(one),
        host=one.host,
        port=one.spec.port,
        subsets=tuple(_subsets(one)),
        routes=tuple(_mesh_routes(one)),
        calls=one.spec.calls,
        traffic_policy=policy,
        autoscalers=tuple(_autoscalers(one)),
        carries=one.spec.carries,
        outside=_outside(one, policy) if one.spec.external else None,
        served=None if one.spec.external else _served(one.spec),
    )


def _served(spec: ServiceSpec) -> ServicePort:
    return ServicePort(spec.port, spec.target_port or spec.port, _pairs(spec.selector), spec.protocol)


def _outside(one: ServiceInGroup, policy: IstioFields) -> Outside:
    return Outside(
        tuple(external.outside_hosts(one)),
        tuple(external.subset_tables(one, policy)),
        tuple(external.own_tables(one)),
        tuple(external.egress_tables(one)),
    )


class Destinations(NamedTuple):
    """The targets of a service's requests. `host` is the service's, found once for all of them."""

    of: ServiceInGroup
    host: str

    def lane(self, lane: str, tag: TagChange = None) -> tuple[Target, ...]:
        """The lane's version of the service; empty where it has none."""
        version = self.of.version_in(lane)
        if version is None:
            return ()
        subset = self.of.failover_subset(version) if self.of.failover_version(lane) else version
        return (self._target(subset, tag=tag),)

    def entering(self, lane: str, tag: TagChange) -> tuple[Target, ...]:
        """The lane's version of the service; where it has none, the baseline's version, else the service's weights."""
        if targets := self.lane(lane, tag):
            return targets
        return (self._target(self.of.baseline, tag=tag),) if self.of.baseline else self.untagged(tag)

    def untagged(self, tag: TagChange = None) -> tuple[Target, ...]:
        """The service's weights, or the baseline's version."""
        if self.of.spec.weights is not None or self.of.baseline is None:
            return self.weighted(self.of.spec.weights or {}, tag)
        return (self._target(self.of.baseline, tag=tag),)

    def weighted(self, weights: Mapping[str, int], tag: TagChange = None) -> tuple[Target, ...]:
        """The versions with a weight above 0, sorted by name: their order in the spec means nothing."""
        return tuple(self._target(version, weight, tag) for version, weight in sorted(weights.items()) if weight)

    def _target(self, subset: str, weight: int | None = None, tag: TagChange = None) -> Target:
        if self.of.spec.external:
            return external.target(self.of, subset, weight)
        return Target(self.host, self.of.spec.port, subset, weight, tag)


def weighed(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets; a single target has no weight, because it gets all requests."""
    alone = len(targets) == 1 and targets[0].weight is not None
    return (replace(targets[0], weight=None),) if alone else targets


def with_trail(one: ServiceInGroup, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets of a route that sets a tag; where the spec has `trail`, responses name the version that answered."""
    if not one.group.spec.trail:
        return targets
    hosts = {version.host: name for name, version in one.spec.versions.items() if version.host}
    return tuple(
        replace(target, trail=f"{one.name}/{hosts.get(target.authority, target.subset)}") for target in targets
    )


def istio_fields(policy: IstioFields) -> IstioFields:
    """The fields of a policy that the spec gives, sorted by name: their order means nothing, nor does a null."""
    return {name: _sorted(value) for name, value in sorted(policy.items()) if value is not None}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return istio_fields(value)
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def lane_route(one: ServiceInGroup, lane: str, targets: tuple[Target, ...]) -> Route:
    """The route of requests with the lane's tag. It answers 503 if the lane is strict and has no version here."""
    tag = one.group.spec.tag
    conditions = tagged(tag.header, lane, baggage=tag.baggage)
    origin = Origin(("spec", "lanes", lane), one.name)
    return lane_or_refusal(one, lane, RouteId(RouteKind.LANE, lane), conditions, targets, origin)


def lane_or_refusal(
    one: ServiceInGroup,
    lane: str,
    route_id: RouteId,
    conditions: tuple[Condition, ...],
    targets: tuple[Target, ...],
    origin: Origin,
) -> Route:
    """A route into a lane: to the targets, or a refusal if the lane is strict and has no version here."""
    if one.refuses(lane):
        text = f"graylane: lane {lane} is strict and has no version of {one.name}\n"
        return Route(route_id, conditions, refusal=text, origin=origin)
    return Route(route_id, conditions, with_trail(one, weighed(targets)), origin=origin)


def rule_routes(one: ServiceInGroup, tag: TagChange = None) -> Iterator[Route]:
    """The routes of the service's rules, in the spec's order; `tag` is what they do to the tag's header."""
    for index, rule in enumerate(one.spec.rules):
        origin = Origin((*SERVICES, one.name, "rules", index), one.name)
        targets = weighed(Destinations(one, one.host).weighted(rule.weights, tag))
        yield Route(RouteId(RouteKind.RULE, str(index + 1)), (condition(rule.match),), targets, origin=origin)


def leaving(one: ServiceInGroup, routes: Iterable[Route]) -> Iterator[Route]:
    """The routes to a service; those to hosts outside the mesh leave baggage alone that has no tag."""
    for route in routes:
        yield from external.keeping_baggage(route, one.group.spec.tag.header) if one.spec.external else (route,)


def with_fields(route: Route, fields: IstioFields) -> Route:
    """A route with its service's policy. A refusal sends no request on, so it gets no policy."""
    return replace(route, fields={**fields, **route.fields}) if fields and not route.refusal else route


def _mesh_routes(one: ServiceInGroup) -> Iterator[Route]:
    return leaving(one, _ordered_routes(one))


def _ordered_routes(one: ServiceInGroup) -> Iterator[Route]:
    """The routes of lanes, then of rules, then the default route (docs/compile.md)."""
    fields = istio_fields(one.spec.policy)
    destinations = Destinations(one, one.host)
    for lane, _ in one.lanes:
        targets = destinations.lane(lane)
        if targets or one.refuses(lane):
            yield with_fields(with_mirror(one, lane_route(one, lane, targets), lane), fields)
    for route in rule_routes(one):
        yield from _untagged(one, with_fields(route, fields))
    said = "weights" if one.spec.weights else "default" if one.spec.default else ""
    origin = Origin((*SERVICES, one.name, said) if said else (*SERVICES, one.name), one.name)
    targets = weighed(destinations.untagged())
    yield from _untagged(one, Route(RouteId(RouteKind.DEFAULT), (), targets, fields=fields, origin=origin))


def _untagged(one: ServiceInGroup, route: Route) -> Iterator[Route]:
    """A route for requests of no lane. With `mirror`, a route before it takes those of lanes that have no version here:
    a copy of such a request would carry the lane's tag to whatever the mirrored version calls."""
    mirrored = with_mirror(one, route)
    copies = mirrored is not route
    falling = [lane for lane, _ in one.lanes if one.version_in(lane) is None] if copies else ()
    tag = one.group.spec.tag
    if falling:
        asking = [each for lane in falling for each in tagged(tag.header, lane, baggage=tag.baggage)]
        asked = route.conditions or (Condition(),)
        conditions = tuple(met for each in asked for lane in asking if (met := both(lane, each)))
        yield replace(route, conditions=conditions, targets=with_trail(one, route.targets))
    yield from _falling_back(one, mirrored)


def with_mirror(one: ServiceInGroup, route: Route, lane: str | None = None) -> Route:
    """A route; copies of its requests go to the version that `mirror` names, unless that version answers them all.

    Parameters:
        lane: the lane of the requests; None for requests without a tag. Only those of the baseline are copied.
    """
    mirror = one.spec.mirror
    others = lane not in (None, one.group.spec.tag.default)
    if mirror is None or others or all(target.subset == mirror.version for target in route.targets):
        return route
    copied = {
        "destination": {"host": one.host, "port": {"number": one.spec.port}, "subset": mirror.version},
        "percentage": {"value": mirror.percent},
    }
    return replace(route, fields={**route.fields, "mirrors": [copied]})


def _falling_back(one: ServiceInGroup, route: Route) -> Iterator[Route]:
    """A route for requests of no lane. With `trail`, a copy before it names who answered those of a lane that has no
    version here: untagged requests are told nothing."""
    if one.group.spec.trail and any(one.version_in(lane) is None for lane, _ in one.lanes):
        tag = one.group.spec.tag.header
        present = Condition(headers=((tag, StringMatch("present")),))
        asked = route.conditions or (Condition(),)
        met = (each if tag in dict(each.headers) else both(present, each) for each in asked)
        conditions = tuple(condition for condition in met if condition)
        yield replace(route, conditions=conditions, targets=with_trail(one, route.targets))
    yield route


def _subsets(one: ServiceInGroup) -> Iterator[Subset]:
    """One subset for each version, and one more for each version from which a lane falls back at run time."""
    for name, version in sorted(one.spec.versions.items()):
        yield Subset(name, _pairs(version.labels), version=name)
    for name in sorted({found for lane in one.group.spec.lanes if (found := one.failover_version(lane))}):
        version = one.spec.versions[name]
        # With two versions, each Pod of the Service belongs to one of them, so no labels are needed to exclude others.
        labels = {} if len(one.spec.versions) == 2 else version.fallback_labels or {}
        yield Subset(one.failover_subset(name), _pairs(labels), Failover(_pairs(version.labels)), version=name)


def _autoscalers(one: ServiceInGroup) -> Iterator[Autoscaler]:
    for name, version in sorted(one.spec.versions.items()):
        if scale := version.autoscale:
            yield Autoscaler(Name(one.namespace, one.workload(name)), scale.min, scale.max, scale.cpu)


def _pairs(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
