"""Observes the requests of the mesh on this machine, by what its Envoy logs."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from meshconfig.carry import CarryJudge, VersionCarry, sole_lanes
from meshconfig.console.observed.observer import Seen
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.source import Source, Stated
from meshconfig.local.trace import RequestTrace
from meshconfig.local.traffic import calls, records
from meshconfig.spec import LaneGroup
from meshconfig.traffic import Flow, TrafficWindow

SETTLE = 1.0  # seconds; traces come when their requests have ended


class _Counted:
    """One group: its spec, and what was counted since."""

    def __init__(self, group: LaneGroup) -> None:
        self.group, self.began = group, time.time()
        self.window, self.judge = TrafficWindow(self.began, settle=SETTLE), CarryJudge(sole_lanes(group))


class FromMesh:
    """
    Parameters:
        groups: the specs that the mesh runs now.
    """

    origin: Literal["local"] = "local"

    def __init__(self, groups: Callable[[], Sequence[LaneGroup]]) -> None:
        self._groups = groups
        self._counted: dict[GroupRef, _Counted] = {}
        self._lock = threading.Lock()
        self._number = 0

    def add(self, trace: RequestTrace) -> None:
        """Count a request."""
        now = time.time()
        with self._lock:
            self._number += 1
            for one in self._current().values():
                for call in calls(one.group, trace, now):
                    one.window.add(call, now)
                for record in records(one.group, trace, now, f"request {self._number}"):
                    one.judge.add(record, now)

    def flows(self, source: Source, stated: Stated, wait: float) -> Seen[Flow]:
        with self._lock:
            one = self._of(stated)
            return Seen(one.window.flows(time.time()), datetime.fromtimestamp(one.began, UTC))

    def carry(self, source: Source, stated: Stated, wait: float) -> Seen[VersionCarry]:
        with self._lock:
            one = self._of(stated)
            return Seen(one.judge.report(time.time()), datetime.fromtimestamp(one.began, UTC))

    def _of(self, stated: Stated) -> _Counted:
        metadata = stated.group.spec.metadata
        ref = GroupRef(metadata.namespace, metadata.name)
        return self._current().get(ref) or _Counted(stated.group.spec)

    def _current(self) -> dict[GroupRef, _Counted]:
        """The groups that there are; one whose spec was saved anew is counted anew."""
        groups = {GroupRef(one.metadata.namespace, one.metadata.name): one for one in self._groups()}
        self._counted = {ref: self._counted_as(ref, group) for ref, group in groups.items()}
        return self._counted

    def _counted_as(self, ref: GroupRef, group: LaneGroup) -> _Counted:
        known = self._counted.get(ref)
        return known if known and (known.group is group or known.group == group) else _Counted(group)
