"""The LaneGroup that a rollout asks for: the group as it was before, with one change.

Without `entry` each service of the rollout gets weights of its own. With `entry` requests are split there between the
baseline and the one lane that carries the new versions. The tag that the split sets keeps a request in its lane along
the whole chain, so that no chain mixes old and new.
"""

from collections.abc import Mapping
from typing import Any

from meshconfig.rollout.actions import ChangeKind, GroupChange, VersionScale
from meshconfig.rollout.canary_lane import canary_lane
from meshconfig.rollout.pods import PodCounts
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout

Value = dict[str, Any]


def wanted(base: LaneGroup, rollout: Rollout, change: GroupChange) -> LaneGroup:
    """The group that a change asks for.

    Parameters:
        base: the group as it was when the rollout began. The rollout fits it: `check.check` finds nothing.
    """
    match change.kind:
        case ChangeKind.RETIRE:
            return ended(base, rollout)
        case ChangeKind.TAKE_OVER:
            return taken_over(base, rollout)
        case ChangeKind.WEIGHT | ChangeKind.BACK | ChangeKind.AUTOSCALERS:
            return at_weight(base, rollout, change.weight, change.pods)


def at_weight(base: LaneGroup, rollout: Rollout, weight: int, pods: PodCounts | None = None) -> LaneGroup:
    """The group while `weight` percent of untagged requests go to the new versions; at 0 it is the group as it was.

    Parameters:
        pods: service → version → Pods, where they are to be other ones than before; autoscalers get bounds for them.
    """
    value = as_value(base)
    if weight:
        _split(value, base, rollout, weight) if rollout.spec.entry else _weights(value, rollout, weight)
    for service, counts in (pods or {}).items():
        for version, count in counts.items():
            old = rollout.spec.services[service].from_ == version
            _bounds(value["spec"]["services"][service]["versions"][version], count, old=old)
    return LaneGroup.model_validate(value)


def taken_over(base: LaneGroup, rollout: Rollout) -> LaneGroup:
    """The group once the baseline and untagged requests have the new versions. The old versions are still there."""
    value = as_value(base)
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
    """The group after the rollout: `taken_over`, and without the old versions where `keepOld` is given."""
    after = taken_over(base, rollout)
    if rollout.spec.keep_old is None:
        return after
    value = as_value(after)
    for service, move in rollout.spec.services.items():
        del value["spec"]["services"][service]["versions"][move.from_]
    return LaneGroup.model_validate(value)


def autoscaled(base: LaneGroup, scale: VersionScale) -> bool:
    """Whether an autoscaler sets its Pods. Then the bounds in the group change (`wanted`), never the Deployment."""
    return base.spec.services[scale.service].versions[scale.version].autoscale is not None


def as_value(group: LaneGroup) -> Value:
    """As it was written: a field that was not given stays out, so that the same group gives the same bytes."""
    return group.model_dump(by_alias=True, exclude_unset=True)


def _weights(value: Value, rollout: Rollout, weight: int) -> None:
    for service, move in rollout.spec.services.items():
        spec = value["spec"]["services"][service]
        spec.pop("default", None)  # untagged requests go by `default` or by `weights`, not by both
        spec["weights"] = {move.from_: 100 - weight, move.to: weight}


def _split(value: Value, base: LaneGroup, rollout: Rollout, weight: int) -> None:
    for entry in value["spec"]["entries"]:
        if rollout.spec.entry in entry["hosts"]:
            entry["split"] = {base.spec.tag.default: 100 - weight, canary_lane(rollout, base): weight}


def _baseline(value: Value, lane: str, service: str, version: str) -> None:
    versions: Mapping[str, str] = value["spec"]["lanes"][lane].get("versions", {})
    kept = {name: one for name, one in versions.items() if name != service}
    # Without an entry here, a lane gets the version that has the lane's own name.
    value["spec"]["lanes"][lane]["versions"] = kept if version == lane else {**kept, service: version}


def _bounds(version: Value, count: int, *, old: bool) -> None:
    """The autoscaler of a new version may not go below what requests are about to need; that of an old version may."""
    if (scale := version.get("autoscale")) is not None:
        least = min(scale["min"], max(count, 1)) if old else max(scale["min"], count)
        version["autoscale"] = {**scale, "min": least, "max": max(scale["max"], least)}
