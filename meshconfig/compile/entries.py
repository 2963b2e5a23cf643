"""Where traffic enters: each path repeats its service's routes, and every route settles the tag for the hops behind."""

import math
from collections.abc import Iterator
from dataclasses import replace

from meshconfig.compile.conditions import both, condition, path
from meshconfig.compile.services import DEFAULT, Plan, lane_conditions, refusal
from meshconfig.model import (
    Condition,
    Entry,
    Listener,
    OwnGateway,
    RemoveTag,
    Route,
    SetTag,
    TagChange,
    Target,
)
from meshconfig.spec import Entry as EntrySpec
from meshconfig.spec import GatewayRef, LaneGroup, PathRoute
from meshconfig.spec.group import REDIRECTED


def entry(group: LaneGroup, spec: EntrySpec, resource: str, plans: dict[str, Plan]) -> Entry:
    """One entry: its Gateway, own or existing, and its routes, path by path in the spec's order."""
    namespace = group.metadata.namespace
    own = None if spec.gateway.use else _own_gateway(spec.gateway, resource)
    routes = [
        replace(route, policy=plans[one.service].policy)
        for one in spec.routes
        for route in _path_routes(group, spec, one, plans[one.service])
    ]
    gateway = spec.gateway.use or f"{namespace}/{resource}"
    return Entry(resource, namespace, spec.hosts, gateway, tuple(routes), own)


def _own_gateway(spec: GatewayRef, resource: str) -> OwnGateway:
    selector = tuple(sorted(spec.selector.items()))
    if spec.tls is None:
        return OwnGateway(resource, selector, (Listener(spec.port or 80),))
    listeners = [Listener(spec.port or 443, spec.tls.mode, spec.tls.credential_name)]
    if spec.tls.https_redirect:
        listeners.append(Listener(REDIRECTED, redirect=True))
    return OwnGateway(resource, selector, tuple(listeners))


def _path_routes(group: LaneGroup, spec: EntrySpec, one: PathRoute, plan: Plan) -> Iterator[Route]:
    """The routes of one path: those of `_service_routes` that this path and method leave possible."""
    here = Condition(path=path(one.path), method=one.method)
    for route in _service_routes(group, spec, plan):
        conditions = route.conditions or (Condition(),)
        met = [joined for each in conditions if (joined := both(here, each))]
        if met:
            anything = any(joined.always for joined in met)
            yield replace(route, conditions=() if anything else tuple(met), rewrite=_rewrite(one, met[0]))


def _rewrite(one: PathRoute, narrowed: Condition) -> str | None:
    """Istio replaces what the match names; where a rule narrowed the route's prefix, what it added stays."""
    if one.rewrite is None or one.path.prefix is None or narrowed.path is None:
        return one.rewrite
    return one.rewrite + narrowed.path.value.removeprefix(one.path.prefix)


def _service_routes(group: LaneGroup, spec: EntrySpec, plan: Plan) -> Iterator[Route]:
    trusted = spec.tag == "trusted"
    # Who is in no lane: an outside tag that no lane answers to must not half apply further in.
    nobody: TagChange = RemoveTag() if trusted else SetTag(group.spec.tag.default)
    if trusted:
        for lane in group.spec.lanes:
            yield _into(lane, lane, lane_conditions(group, lane), plan)
    for number, admit in enumerate(spec.admit, 1):
        yield _into(admit.lane, f"admit-{number}", (condition(admit.match),), plan)
    for number, rule in enumerate(plan.spec.rules, 1):
        yield Route(f"rule-{number}", (condition(rule.match),), plan.weighted(rule.weights, nobody))
    yield Route(DEFAULT, (), _split(spec, plan) or plan.untagged_targets(nobody))


def _into(lane: str, name: str, conditions: tuple[Condition, ...], plan: Plan) -> Route:
    """A route that puts its requests into a lane."""
    if plan.refuses(lane):
        return Route(name, conditions, (), refusal=refusal(lane, plan.name))
    return Route(name, conditions, plan.entry_targets(lane, SetTag(lane)))


def _split(spec: EntrySpec, plan: Plan) -> tuple[Target, ...]:
    """The chosen lane's tag is set per destination, so that a percentage never mixes lanes along a chain."""
    lanes = [(weight, plan.entry_targets(lane, SetTag(lane))) for lane, weight in (spec.split or {}).items() if weight]
    # A lane may itself be spread over versions: one common total keeps the lanes' shares as they were asked for.
    common = math.lcm(*(_total(targets) for _, targets in lanes))
    return tuple(
        replace(target, weight=share * target.weight * common // _total(targets))
        for share, targets in lanes
        for target in targets
    )


def _total(targets: tuple[Target, ...]) -> int:
    return sum(target.weight for target in targets)
