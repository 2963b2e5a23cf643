"""The canary lane: the lane that carries the new versions, and that a split at the entry sends requests to."""

from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout


class NoCanaryLaneError(Exception):
    """No lane carries the new versions of a rollout and nothing else, or more than one does."""


def canary_lane(rollout: Rollout, group: LaneGroup) -> str:
    """The lane that a split at the entry sends requests to. There each service of the rollout has the version that it
    moves to, and every other service has the baseline's version.

    Returns:
        The lane's name; empty for a rollout without `entry`.

    Raises:
        NoCanaryLaneError: the message names the lanes that there are, and what each is missing.
    """
    if rollout.spec.entry is None:
        return ""
    reasons = {name: _unfit(rollout, group, name) for name in group.spec.lanes if name != group.spec.tag.default}
    found = [name for name, reason in reasons.items() if not reason]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoCanaryLaneError(f"lanes {' and '.join(found)} carry the new versions, and a split needs exactly one")
    versions = ", ".join(f"{service}: {move.to}" for service, move in rollout.spec.services.items())
    told = "".join(f"; {name}: {reason}" for name, reason in reasons.items())
    raise NoCanaryLaneError(f"no lane carries the new versions, as {{versions: {{{versions}}}}} would{told}")


def _unfit(rollout: Rollout, group: LaneGroup, lane: str) -> str:
    """Why a lane does not carry the new versions; empty where it does."""
    for service in group.spec.services:
        move = rollout.spec.services.get(service)
        asked = move.to if move else version_of(group, service, group.spec.tag.default)
        if (has := version_of(group, service, lane)) != asked:
            return f"{service} is {has} there, not {asked}"
        if group.service(service).refuses(lane):
            return f"it is strict and has no version of {service}"
    if group.spec.lanes[lane].fallback == "runtime":
        return "it falls back at run time, so its requests may reach old and new versions"
    return ""


def version_of(group: LaneGroup, service: str, lane: str) -> str | None:
    """The version of a service that a lane's requests get: the lane's own, or else the baseline's."""
    here = group.service(service)
    return here.version_in(lane) or here.baseline
