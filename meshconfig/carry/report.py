"""What was judged of one version, and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from meshconfig.carry.lanes import Workload

Judged = Literal["lane", "request id", ""]


@dataclass(frozen=True, slots=True)
class LostCall:
    """One call that was made for a tagged request and did not have its tag.

    Parameters:
        time: when it was made, in seconds of the Unix epoch.
        lane: the lane of the request that it was made for.
        sent: the lane of the tag that it had instead, or `UNTAGGED`.
    """

    time: float
    pod: str
    callee: Workload
    path: str
    code: str
    lane: str
    sent: str
    request_id: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "pod": self.pod,
            "service": self.callee.service,
            "version": self.callee.version,
            "path": self.path,
            "code": self.code,
            "lane": self.lane,
            "sent": self.sent,
            "requestId": self.request_id,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """The calls of one version to one other.

    Parameters:
        calls: all of them by the lane of their tag, judged or not.
        carried: those that were judged and had their request's tag.
        lost: those that were judged and did not. They lead to another version than the lane's, so that a rate is one of
            all versions of a service: `VersionCarry.callees`.
    """

    callee: Workload
    calls: Mapping[str, float]
    carried: float = 0
    lost: float = 0


@dataclass(frozen=True, slots=True)
class VersionCarry:
    """What one version does with the tag.

    Parameters:
        requests: the requests that reached it, by the lane of their tag.
        judged: by what its calls were judged; empty where they could not be.
        unjudged: calls of which it is not known for which request they were made.
        reason: why nothing was judged; empty where something was.
        lost_calls: some of the calls that lost the tag, the newest last.
    """

    workload: Workload
    requests: Mapping[str, float]
    edges: tuple[Edge, ...]
    judged: Judged
    unjudged: float = 0
    reason: str = ""
    lost_calls: tuple[LostCall, ...] = field(default=(), repr=False)

    @property
    def carried(self) -> float:
        return sum(edge.carried for edge in self.edges)

    @property
    def lost(self) -> float:
        return sum(edge.lost for edge in self.edges)

    @property
    def rate(self) -> float | None:
        """Its carry rate, from 0 to 1; None where nothing was judged."""
        return carry_rate(self.carried, self.lost)

    @property
    def callees(self) -> dict[str, tuple[float, float]]:
        """By service that it calls: the calls that carried the tag, and those that lost it."""
        found: dict[str, tuple[float, float]] = {}
        for edge in self.edges:
            carried, lost = found.get(edge.callee.service, (0.0, 0.0))
            found[edge.callee.service] = carried + edge.carried, lost + edge.lost
        return found

    def below(self, least: float) -> bool:
        """Whether it is known to carry less than this share."""
        return self.rate is not None and self.rate < least


def carry_rate(carried: float, lost: float) -> float | None:
    return carried / (carried + lost) if carried + lost else None


def as_json(one: VersionCarry) -> dict[str, Any]:
    """Its JSON: {"service", "version", "requests", "judgedBy", "carryRate", "carried", "lost", "unjudged", "reason",
    "edges", "callees", "lostCalls"}"""
    return {
        "service": one.workload.service,
        "version": one.workload.version,
        "requests": _numbers(one.requests),
        "judgedBy": one.judged or None,
        "carryRate": _rate(one.rate),
        "carried": _number(one.carried),
        "lost": _number(one.lost),
        "unjudged": _number(one.unjudged),
        "reason": one.reason,
        "edges": [
            {
                "service": edge.callee.service,
                "version": edge.callee.version,
                "calls": _numbers(edge.calls),
                "carried": _number(edge.carried),
                "lost": _number(edge.lost),
            }
            for edge in one.edges
        ],
        "callees": {service: _rate(carry_rate(*counts)) for service, counts in one.callees.items()},
        "lostCalls": [call.as_json() for call in one.lost_calls],
    }


def _numbers(counts: Mapping[str, float]) -> dict[str, float]:
    return {lane: _number(count) for lane, count in sorted(counts.items())}


def _number(count: float) -> float:
    """Whole numbers as such; Prometheus extrapolates to parts of requests."""
    return round(count) if count == round(count) else round(count, 2)


def _rate(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 5)
