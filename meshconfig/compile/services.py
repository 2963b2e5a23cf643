"""A service's routes between services, and its subsets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from meshconfig.compile.conditions import condition, tagged
from meshconfig.compile.names import service_fqdn
from meshconfig.model import (
    Autoscaler,
    Condition,
    Failover,
    Opaque,
    Route,
    Subset,
    TagChange,
    Target,
)
from meshconfig.spec import Lane, LaneGroup, Policy, ServiceSpec, TrafficPolicy, Version

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Plan:
    """One service in its group: which version a lane means here, and what the untagged get."""

    name: str
    spec: ServiceSpec
    group: LaneGroup

    @property
    def host(self) -> str:
        return service_fqdn(self.spec.host, self.group.metadata.namespace)

    @property
    def baseline(self) -> str | None:
        """The version of who sends no tag, where neither rules nor weights say otherwise."""
        return self.spec.default or self.version_in(self.group.spec.tag.default)

    def version_in(self, lane: str) -> str | None:
        """The lane's own version of this service, if it has one."""
        version = self.group.spec.lanes[lane].versions.get(self.name, lane)
        return version if version in self.spec.versions else None

    def lane_targets(self, lane: str, tag: TagChange = None) -> tuple[Target, ...]:
        """Where the lane's requests go; empty where it has no version here."""
        version = self.version_in(lane)
        if version is None:
            return ()
        runtime = self.group.spec.lanes[lane].fallback == "runtime" and version != self.baseline
        return (self.target(runtime_subset(version, self.baseline) if runtime else version, tag=tag),)

    def entry_targets(self, lane: str, tag: TagChange) -> tuple[Target, ...]:
        """As `lane_targets`, and the baseline's where the lane has no version here."""
        if targets := self.lane_targets(lane, tag):
            return targets
        return (self.target(self.baseline, tag=tag),) if self.baseline else self.untagged_targets(tag)

    def untagged_targets(self, tag: TagChange = None) -> tuple[Target, ...]:
        if self.spec.weights is not None or self.baseline is None:
            return self.weighted(self.spec.weights or {}, tag)
        return (self.target(self.baseline, tag=tag),)

    def weighted(self, weights: Mapping[str, int], tag: TagChange = None) -> tuple[Target, ...]:
        return tuple(self.target(version, weight, tag) for version, weight in weights.items() if weight)

    def target(self, subset: str, weight: int = 1, tag: TagChange = None) -> Target:
        return Target(self.host, self.spec.port, subset, weight, tag)

    def refuses(self, lane: str) -> bool:
        """A strict lane without a version here does not fall back."""
        return self.group.spec.lanes[lane].mode == "strict" and self.version_in(lane) is None

    @property
    def policy(self) -> Opaque:
        return istio_fields(self.spec.policy)


def istio_fields(policy: Policy | TrafficPolicy) -> Opaque:
    """As they were written: what was not given is not there."""
    return policy.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, mode="json")


def runtime_subset(version: str, baseline: str | None) -> str:
    """The subset of a lane with `fallback: runtime`; its own name, so that the version's own subset stays pure."""
    return f"{version}-or-{baseline}"


def refusal(lane: str, service: str) -> str:
    return f"graylane: lane {lane} is strict and has no version of {service}\n"


def mesh_routes(plan: Plan) -> tuple[Route, ...]:
    """The tag, then rules, then weights or the baseline's version (design, "What it compiles to")."""
    routes = [route for lane in plan.group.spec.lanes if (route := _lane_route(plan, lane))]
    routes += [
        Route(f"rule-{number}", (condition(rule.match),), plan.weighted(rule.weights))
        for number, rule in enumerate(plan.spec.rules, 1)
    ]
    routes.append(Route(DEFAULT, (), plan.untagged_targets()))
    policy = plan.policy
    return tuple(replace(route, policy=policy) for route in routes)


def lane_conditions(group: LaneGroup, lane: str) -> tuple[Condition, ...]:
    tag = group.spec.tag
    return tagged(tag.header, lane, baggage=tag.baggage)


def _lane_route(plan: Plan, lane: str) -> Route | None:
    if targets := plan.lane_targets(lane):
        return Route(lane, lane_conditions(plan.group, lane), targets)
    if plan.refuses(lane):
        return Route(lane, lane_conditions(plan.group, lane), (), refusal=refusal(lane, plan.name))
    return None


def subsets(plan: Plan) -> tuple[Subset, ...]:
    """One per version, and one more for each lane that falls back at run time."""
    own = [Subset(name, _sorted(version.labels)) for name, version in plan.spec.versions.items()]
    lanes = plan.group.spec.lanes
    runtime = {version: None for name, lane in lanes.items() if (version := _runtime_version(plan, name, lane))}
    return tuple(own + [_runtime_subset(plan, version) for version in runtime])


def _runtime_version(plan: Plan, name: str, lane: Lane) -> str | None:
    version = plan.version_in(name)
    return version if lane.fallback == "runtime" and version != plan.baseline else None


def _runtime_subset(plan: Plan, version: str) -> Subset:
    labels = {} if len(plan.spec.versions) == 2 else plan.spec.versions[version].fallback_labels or {}
    prefer = Failover(_sorted(plan.spec.versions[version].labels))
    return Subset(runtime_subset(version, plan.baseline), _sorted(labels), prefer)


def autoscalers(plan: Plan) -> tuple[Autoscaler, ...]:
    return tuple(
        Autoscaler(workload_name(plan.name, name, version), scale.min, scale.max, scale.cpu)
        for name, version in plan.spec.versions.items()
        if (scale := version.autoscale)
    )


def workload_name(service: str, name: str, version: Version) -> str:
    """The Deployment of a version: as the spec says, else SERVICE-VERSION."""
    return version.workload or f"{service}-{name}"


def _sorted(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
