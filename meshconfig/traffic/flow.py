"""What flows along one edge: requests of one lane from a version, or from outside, to a version."""

from collections.abc import Iterable
from dataclasses import dataclass

from meshconfig.carry import Workload
from meshconfig.spec import LaneGroup


@dataclass(frozen=True, slots=True)
class Flow:
    """The requests of one lane along one edge, over a time up to now.

    Parameters:
        caller: None for requests that no version of the group sent: those of the entries, and of Pods of others.
        callee: the version that answered; without a version where it is not known.
        lane: the lane of the requests' tag, `UNTAGGED` or `OTHER`.
        rate: requests a second.
        errors: the share of them that failed, from 0 to 1: by a status of 500 or more, or without any.
        p95: 95 % of them took no longer, in milliseconds; None where it is not known.
    """

    caller: Workload | None
    callee: Workload
    lane: str
    rate: float
    errors: float = 0.0
    p95: float | None = None


def falls_back(group: LaneGroup, lane: str, callee: Workload) -> bool:
    """Whether a lane's requests are answered by another version than the lane's own."""
    if lane not in group.spec.lanes or callee.service not in group.spec.services or not callee.version:
        return False
    return group.service(callee.service).version_in(lane) != callee.version


def failed(code: str) -> bool:
    """Whether a status stands for a failure; Envoy logs 0 where no answer came."""
    return code in ("", "0") or code[0] == "5"


def in_order(flows: Iterable[Flow]) -> list[Flow]:
    """Flows from outside first, then by caller, callee and lane."""
    return sorted(flows, key=lambda one: (one.caller or ("", ""), one.callee, one.lane))
