"""Judges which calls lost the tag, from the requests that sidecars received and the calls that they made. No I/O.

An outbound record and the inbound record of the request that it was made for come in any order. Envoy logs a request
when it ends, so the call is mostly first. Both are held by Pod and request id until they have settled.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshconfig.carry.access_log import Record
from meshconfig.carry.lanes import OTHER, UNTAGGED, Workload
from meshconfig.carry.report import Edge, Judged, LostCall, VersionCarry

Calls = Counter[tuple[Workload, str]]  # by callee, and the lane of the call's tag


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on time and memory.

    Parameters:
        settle: seconds that a record waits for others of its request.
        open: requests that wait; the oldest is judged early where more come.
        calls: calls of one request that are judged.
        shown: lost calls that are kept of a version.
    """

    settle: float = 10.0
    open: int = 50_000
    calls: int = 200
    shown: int = 50


@dataclass(slots=True)
class _Open:
    """The records of one request at one Pod so far."""

    since: float
    workload: Workload
    lanes: set[str] = field(default_factory=set)  # of the requests that came with this id; more than one is a doubt
    calls: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """What was counted of one version.

    Parameters:
        calls: all calls.
        settled: the calls of which the request, if it was logged at all, has been counted in `requests`.
        carried: the calls that had the tag of their request, by callee; `lost` those that had not.
    """

    requests: Counter[str] = field(default_factory=Counter)
    calls: Calls = field(default_factory=Counter)
    settled: Calls = field(default_factory=Counter)
    carried: Counter[Workload] = field(default_factory=Counter)
    lost: Counter[Workload] = field(default_factory=Counter)
    unmatched: int = 0
    recent: deque[Record] = field(default_factory=deque)  # settled calls with another tag than the sole lane's
    lost_calls: deque[LostCall] = field(default_factory=deque)


class CarryJudge:
    """Counts records and judges them.

    Parameters:
        sole: the versions that requests of one lane alone may reach, by the group's routes.
    """

    def __init__(self, sole: Mapping[Workload, str], limits: Limits | None = None) -> None:
        self._sole, self._limits = sole, limits or Limits()
        # Not a dict: to find its first key after many removals is slow there.
        self._open: OrderedDict[tuple[str, str], _Open] = OrderedDict()
        self._tallies: dict[Workload, _Tally] = {}
        self._numbered = 0

    def add(self, record: Record, now: float) -> None:
        """Count one record.

        Parameters:
            now: seconds of a clock that does not go back; the same clock in each call.
        """
        tally = self._tally(record.workload)
        key = record.request_id
        if not key:
            self._numbered += 1
            key = f"#{self._numbered}"  # it waits for no other record
        one = self._open.setdefault((record.pod, key), _Open(now, record.workload))
        if record.callee is None:
            tally.requests[record.lane] += 1
            one.lanes.add(record.lane)
        else:
            tally.calls[record.callee, record.lane] += 1
            if len(one.calls) < self._limits.calls:
                one.calls.append(record)
            else:
                tally.unmatched += 1
        self._settle(now)

    def report(self, now: float) -> list[VersionCarry]:
        """What is known now, by service and version. Records that wait are judged if they need no more of others."""
        self._settle(now)
        for key in [key for key, one in self._open.items() if one.lanes and one.calls]:
            self._judge(self._open.pop(key))
        return [
            _version(workload, tally, self._sole.get(workload)) for workload, tally in sorted(self._tallies.items())
        ]

    def _tally(self, workload: Workload) -> _Tally:
        if workload not in self._tallies:
            shown = self._limits.shown
            self._tallies[workload] = _Tally(recent=deque(maxlen=shown), lost_calls=deque(maxlen=shown))
        return self._tallies[workload]

    def _settle(self, now: float) -> None:
        while self._open:
            oldest = next(iter(self._open.values()))
            if now - oldest.since < self._limits.settle and len(self._open) <= self._limits.open:
                return
            self._judge(self._open.popitem(last=False)[1])

    def _judge(self, one: _Open) -> None:
        tally, sole = self._tally(one.workload), self._sole.get(one.workload)
        for call in one.calls:
            assert call.callee is not None
            tally.settled[call.callee, call.lane] += 1
            if sole and call.lane != sole:
                tally.recent.append(call)
        if len(one.lanes) != 1:
            tally.unmatched += len(one.calls)
            return
        (lane,) = one.lanes
        if lane in (UNTAGGED, OTHER):
            return
        for call in one.calls:
            assert call.callee is not None
            if call.lane == lane:
                tally.carried[call.callee] += 1
            else:
                tally.lost[call.callee] += 1
                tally.lost_calls.append(_lost(call, lane))


def _lost(call: Record, lane: str) -> LostCall:
    assert call.callee is not None
    return LostCall(call.time, call.pod, call.callee, call.path, call.code, lane, call.lane, call.request_id)


def _version(workload: Workload, tally: _Tally, sole: str | None) -> VersionCarry:
    if sole and set(tally.requests) == {sole}:
        lost_calls = tuple(_lost(call, sole) for call in tally.recent)
        return by_lane(workload, sole, tally.requests, tally.settled, tally.calls, lost_calls=lost_calls)
    judged: Judged = "request id" if tally.carried or tally.lost else ""
    edges = tuple(
        Edge(callee, calls, tally.carried[callee], tally.lost[callee]) for callee, calls in calls_by_callee(tally.calls)
    )
    reason = "" if judged else why_unknown(tally.requests, tally.calls)
    return VersionCarry(
        workload, tally.requests, edges, judged, tally.unmatched, reason, tuple(tally.lost_calls) if judged else ()
    )


def by_lane(
    workload: Workload,
    lane: str,
    requests: Mapping[str, float],
    settled: Mapping[tuple[Workload, str], float],
    calls: Mapping[tuple[Workload, str], float],
    *,
    unjudged: float = 0,
    lost_calls: tuple[LostCall, ...] = (),
) -> VersionCarry:
    """Judge a version that requests of one lane alone reach: each call without this lane's tag has lost it.

    Parameters:
        settled: the calls to judge, by callee and lane; `calls` are all of them.
        unjudged: further calls, whose lane is not known.
    """
    edges = []
    for callee, by in calls_by_callee(calls):
        mine = {one: count for (to, one), count in settled.items() if to == callee}
        carried = mine.pop(lane, 0)
        edges.append(Edge(callee, by, carried, sum(mine.values())))
    judged: Judged = "lane" if any(edge.carried or edge.lost for edge in edges) else ""
    return VersionCarry(
        workload, requests, tuple(edges), judged, unjudged, "" if judged else why_unknown(requests, calls), lost_calls
    )


def calls_by_callee(calls: Mapping[tuple[Workload, str], float]) -> list[tuple[Workload, dict[str, float]]]:
    """For each callee, the calls by the lane of their tag."""
    found: dict[Workload, dict[str, float]] = {}
    for (callee, lane), count in calls.items():
        found.setdefault(callee, {})[lane] = count
    return sorted(found.items())


def why_unknown(requests: Mapping[str, float], calls: Mapping[tuple[Workload, str], float]) -> str:
    """Why nothing could be judged of a version."""
    if not calls:
        return "called no service of the group"
    if not requests:
        return "no request reached it"
    if not set(requests) - {UNTAGGED, OTHER}:
        return "no request of a lane reached it"
    return "requests of other lanes may reach it too, and it does not carry x-request-id on"
