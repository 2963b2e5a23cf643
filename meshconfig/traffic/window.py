"""Counts single requests over a sliding window, and gives the flows of it. No I/O and no clock of its own.

A sidecar logs a request twice over: at the caller and at the version that answers. The calls that the group's versions
made are known by their callers' records; what remains of the requests that a service received came from outside.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.carry import Workload
from meshconfig.traffic.flow import Flow, in_order

WINDOW, SETTLE = 30.0, 3.0
AHEAD = 5.0  # seconds that a sender's clock may be ahead
_STEP = 1.08  # each class of the histogram ends this much above the one before: the error of a p95 is at most 8 %
_NOISE = 0.02  # of what a service received: less than this share is the edges of the window, and no other caller


class Call(NamedTuple):
    """One request at one side.

    Parameters:
        time: seconds, of one clock for all.
        caller: None for the side of the version that received it.
        callee: the version that received it, or to which it was sent.
        milliseconds: None where it is not known.
        complete: this one record says both who called and who answered, and there is no other of the request.
    """

    time: float
    caller: Workload | None
    callee: Workload
    lane: str
    failed: bool
    milliseconds: float | None = None
    complete: bool = False


@dataclass(slots=True)
class _Tally:
    requests: int = 0
    failed: int = 0
    times: Counter[int] = field(default_factory=Counter)  # by class of the histogram

    def add(self, call: Call) -> None:
        self.requests += 1
        self.failed += call.failed
        if call.milliseconds is not None:
            self.times[_class(call.milliseconds)] += 1

    def merge(self, other: "_Tally") -> None:
        self.requests += other.requests
        self.failed += other.failed
        self.times.update(other.times)

    @property
    def p95(self) -> float | None:
        left = 0.95 * self.times.total()
        for number, count in sorted(self.times.items()):
            left -= count
            if left <= 1e-9:
                return _STEP**number
        return None


Key = tuple[Workload | None, Workload, str, bool]  # caller, callee, lane, complete


class TrafficWindow:
    """Counts calls by the second in which they began.

    What is kept is bounded by the group's versions and lanes, not by the number of requests.

    Parameters:
        began: when counting began, in seconds of the calls' clock.
        window: seconds over which rates are taken.
        settle: seconds after which a second's records have all come; a sidecar sends them in batches.
    """

    def __init__(self, began: float, window: float = WINDOW, settle: float = SETTLE) -> None:
        self._began, self._window, self._settle = began, window, settle
        self._seconds: dict[int, dict[Key, _Tally]] = {}

    def add(self, call: Call, now: float) -> None:
        """Count a call. One that is older than the window, or of a clock that is ahead, is left out."""
        second = math.floor(call.time)
        if not self._first(now) <= second <= now + AHEAD:
            return
        if second not in self._seconds:
            self._forget(self._first(now))
            self._seconds[second] = {}
        key = call.caller, call.callee, call.lane, call.complete
        self._seconds[second].setdefault(key, _Tally()).add(call)

    def flows(self, now: float) -> list[Flow]:
        """The flows in the window that ended `settle` seconds before now."""
        end, first = math.floor(now - self._settle), self._first(now)
        self._forget(first)
        total: dict[Key, _Tally] = defaultdict(_Tally)
        for second, tallies in self._seconds.items():
            for key, tally in tallies.items() if second < end else ():
                total[key].merge(tally)
        return in_order(_flows(total, max(1, end - first)))

    def _first(self, now: float) -> int:
        """The window's first second."""
        return max(math.floor(now - self._settle) - round(self._window), math.ceil(self._began))

    def _forget(self, first: int) -> None:
        for second in [one for one in self._seconds if one < first]:
            del self._seconds[second]


def _class(milliseconds: float) -> int:
    return math.ceil(math.log(max(milliseconds, 1.0), _STEP))


def _flows(total: Mapping[Key, _Tally], seconds: float) -> Iterator[Flow]:
    received: dict[tuple[str, str], dict[Workload, _Tally]] = defaultdict(dict)
    for (caller, callee, lane, complete), tally in total.items():
        if caller is None and not complete:
            received[callee.service, lane][callee] = tally
    called: Counter[tuple[str, str]] = Counter()
    broken: Counter[tuple[str, str]] = Counter()
    for (caller, callee, lane, complete), tally in total.items():
        if complete:
            yield _flow(caller, callee, lane, tally, tally.requests / seconds)
        elif caller is not None:
            called[callee.service, lane] += tally.requests
            broken[callee.service, lane] += tally.failed
            yield from _answered(caller, callee, lane, tally, received.get((callee.service, lane), {}), seconds)
    for key, versions in received.items():
        yield from _from_outside(versions, key[1], called[key], broken[key], seconds)


def _flow(caller: Workload | None, callee: Workload, lane: str, tally: _Tally, rate: float) -> Flow:
    return Flow(caller, callee, lane, rate, tally.failed / tally.requests, tally.p95)


def _answered(
    caller: Workload, callee: Workload, lane: str, tally: _Tally, versions: Mapping[Workload, _Tally], seconds: float
) -> Iterator[Flow]:
    """A caller's calls by the version that answered.

    Where a route leads to several versions at once, as that of a lane that falls back at run time, the caller's record
    does not say which one answered; those of the versions themselves do.
    """
    shares = {callee: 1.0} if callee.version or not versions else _shares(versions)
    for version, share in shares.items():
        yield _flow(caller, version, lane, tally, tally.requests * share / seconds)


def _shares(versions: Mapping[Workload, _Tally]) -> dict[Workload, float]:
    total = sum(one.requests for one in versions.values())
    return {version: one.requests / total for version, one in versions.items()}


def _from_outside(
    versions: Mapping[Workload, _Tally], lane: str, called: int, broken: int, seconds: float
) -> Iterator[Flow]:
    """What a service received and none of the group's versions had sent, by version."""
    total = sum(one.requests for one in versions.values())
    if (rest := total - called) <= _NOISE * total:
        return
    failed = max(0, min(rest, sum(one.failed for one in versions.values()) - broken))
    for version, share in _shares(versions).items():
        yield Flow(None, version, lane, rest * share / seconds, failed / rest, versions[version].p95)
