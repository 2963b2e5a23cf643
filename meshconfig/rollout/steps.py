"""The LaneGroup that a rollout asks for: the group as it was, with what this step changes, and nothing else.

Without `entry` each service of the rollout has weights of its own. With `entry` the split is made there, by lane: the
baseline against the one lane that carries the new versions; the tag it sets keeps a request in its lane along the whole
chain, so that none mixes old and new.
"""

from collections.abc import Mapping
from typing import Any

from meshconfig.rollout.actions import Scale
from meshconfig.rollout.canary_lane import canary_lane
from meshconfig.rollout.pods import PodCounts
from meshconfig.rollout.state import Stage, State
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout

Value = dict[str, Any]


def wanted(base: LaneGroup, state: State) -> LaneGroup:
    """The group that a state asks for.

    Parameters:
        base: the group as it was when the rollout began, and that the rollout fits (`check`).
    """
    if state.stage in (Stage.RETIRE, Stage.SUCCEEDED):
        return ended(base, state.rollout)
    if state.taken:
        return taken_over(base, state.rollout)
    # Requests move only after the Pods are there, and until then the routes stay what they are.
    weight = state.applied if Stage.SCALE in (state.stage, state.returns) else state.weight
    return at_weight(base, state.rollout, weight, pods=state.pods, sizes=state.sizes)


def at_weight(
    base: LaneGroup, rollout: Rollout, weight: int, *, pods: PodCounts | None = None, sizes: PodCounts | None = None
) -> LaneGroup:
    """`weight` percent of the untagged go to the new versions; 0 is the group as it was.

    Parameters:
        pods, sizes: what is wanted and what there was; where an autoscaler rules, its bounds follow.
    """
    value = _value(base)
    if weight:
        _split(value, base, rollout, weight) if rollout.spec.entry else _weights(value, rollout, weight)
    for service, counts in (pods or {}).items():
        for version, count in counts.items():
            if count != (sizes or {}).get(service, {}).get(version):
                old = rollout.spec.services[service].from_ == version
                _bounds(value["spec"]["services"][service]["versions"][version], count, old=old)
    return LaneGroup.model_validate(value)


def taken_over(base: LaneGroup, rollout: Rollout) -> LaneGroup:
    """The new versions are what the untagged and the baseline get; no weights, no split; the old are still there."""
    value = _value(base)
    for service, move in rollout.spec.services.items():
        spec = value["spec"]["services"][service]
        spec.pop("weights", None)
        of_lane = base.service(service).version_in(base.spec.tag.default) == move.from_
        if of_lane:
            _baseline(value, base.spec.tag.default, service, move.to)
        if "default" in spec or not of_lane:
            spec["default"] = move.to
    return LaneGroup.model_validate(value)


def ended(base: LaneGroup, rollout: Rollout) -> LaneGroup:
    """After all steps: without the old versions, where `keepOld` says how long they are kept."""
    after = taken_over(base, rollout)
    if rollout.spec.keep_old is None:
        return after
    value = _value(after)
    for service, move in rollout.spec.services.items():
        del value["spec"]["services"][service]["versions"][move.from_]
    return LaneGroup.model_validate(value)


def autoscaled(base: LaneGroup, scale: Scale) -> bool:
    """Does an autoscaler set its Pods? Then the group's bounds are changed (`wanted`), and never the Deployment."""
    return base.spec.services[scale.service].versions[scale.version].autoscale is not None


def _value(group: LaneGroup) -> Value:
    """As it was written: what was not given stays away, so that the same group gives the same bytes."""
    return group.model_dump(by_alias=True, exclude_unset=True)


def _weights(value: Value, rollout: Rollout, weight: int) -> None:
    for service, move in rollout.spec.services.items():
        spec = value["spec"]["services"][service]
        spec.pop("default", None)  # the untagged go by one of the two
        spec["weights"] = {move.from_: 100 - weight, move.to: weight}


def _split(value: Value, base: LaneGroup, rollout: Rollout, weight: int) -> None:
    for entry in value["spec"]["entries"]:
        if rollout.spec.entry in entry["hosts"]:
            entry["split"] = {base.spec.tag.default: 100 - weight, canary_lane(rollout, base): weight}


def _baseline(value: Value, lane: str, service: str, version: str) -> None:
    versions: Mapping[str, str] = value["spec"]["lanes"][lane].get("versions", {})
    kept = {name: one for name, one in versions.items() if name != service}
    # A lane means each service's version of its own name where nothing else is said.
    value["spec"]["lanes"][lane]["versions"] = kept if version == lane else {**kept, service: version}


def _bounds(version: Value, count: int, *, old: bool) -> None:
    """An autoscaler may not go below what requests are about to need; the old version's may from now on."""
    if (scale := version.get("autoscale")) is not None:
        least = min(scale["min"], max(count, 1)) if old else max(scale["min"], count)
        version["autoscale"] = {**scale, "min": least, "max": max(scale["max"], least)}
