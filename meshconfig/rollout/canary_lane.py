"""Finds the lane that selects the new versions of a rollout, to which the entry's split sends requests."""

from meshconfig.compile.services import Plan
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout


class NoCanaryLaneError(Exception):
    """Not exactly one lane selects the new versions of a rollout, and the baseline's of all other services."""


def canary_lane(rollout: Rollout, group: LaneGroup) -> str:
    """The lane that selects the new version of each service in the rollout, and the baseline's of every other service.

    Empty for a rollout without `entry`.

    Raises:
        NoCanaryLaneError: the message names each lane and why it does not fit.
    """
    if rollout.spec.entry is None:
        return ""
    reasons = {name: _unfit(rollout, group, name) for name in group.spec.lanes if name != group.spec.tag.default}
    found = [name for name, reason in reasons.items() if not reason]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoCanaryLaneError(f"lanes {' and '.join(found)} select the new versions: keep only one of them")
    versions = ", ".join(f"{service}: {move.to}" for service, move in rollout.spec.services.items())
    told = "".join(f"; {name}: {reason}" for name, reason in reasons.items())
    raise NoCanaryLaneError(f"no lane selects the new versions; {{versions: {{{versions}}}}} would{told}")


def _unfit(rollout: Rollout, group: LaneGroup, lane: str) -> str:
    """The reason why a lane does not fit; empty if it does."""
    for service in group.spec.services:
        move = rollout.spec.services.get(service)
        asked = move.to if move else version_of(group, service, group.spec.tag.default)
        if (has := version_of(group, service, lane)) != asked:
            return f"{service} is {has} there, not {asked}"
        if Plan(service, group.spec.services[service], group).refuses(lane):
            return f"it is strict and has no version of {service}"
    if group.spec.lanes[lane].fallback == "runtime":
        return "it falls back at run time, so that one request may meet both versions"
    return ""


def version_of(group: LaneGroup, service: str, lane: str) -> str | None:
    """The version of a service that a lane's requests get, its own or the baseline's."""
    plan = Plan(service, group.spec.services[service], group)
    return plan.version_in(lane) or plan.baseline
