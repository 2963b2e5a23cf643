"""Observes requests by the access logs that sidecars send: what `--otlp-listen` receives.

A group is counted from when somebody first looks at it: the console has no rights by which it could know the group's
Pods before. It is forgotten some time after the last look.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from weakref import WeakKeyDictionary

from meshconfig.carry import AccessLog, CarryJudge, VersionCarry, Workload, sole_lanes
from meshconfig.console.observed.observer import Pods, Seen
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.source import Source, Stated
from meshconfig.otlp import Intake, LogRecord
from meshconfig.traffic import Flow, LoggedTraffic

REFRESH = 10.0  # seconds between two readings of a group's Pods by one person
FORGET = 900.0  # seconds after the last look
MOST = 100  # groups that are counted at once; the one that was looked at longest ago goes


@dataclass(slots=True)
class _Watch:
    """One group that is counted. `mark` and the rest are of the spec that was in force when it began."""

    mark: str
    pods: Pods
    log: AccessLog = field(init=False)
    judge: CarryJudge = field(init=False)
    traffic: LoggedTraffic = field(init=False)
    since: datetime = field(init=False)
    looked: float = field(init=False)

    def begin(self, stated: Stated) -> None:
        group, now = stated.group.spec, time.time()
        self.log = AccessLog(group, self._version_of)
        self.judge = CarryJudge(sole_lanes(group))
        self.traffic = LoggedTraffic(group, self._version_of, now)
        self.since = datetime.fromtimestamp(now, UTC)
        self.looked = time.monotonic()

    def count(self, record: LogRecord, now: float, at: float) -> None:
        """
        Parameters:
            now, at: when it is counted, in seconds of the monotonic clock and of the Unix epoch.
        """
        self.traffic.add(record.attributes, record.time, at)
        if one := self.log.read(record.attributes, record.time):
            self.judge.add(one, now)

    def _version_of(self, pod: str) -> Workload | None:
        return self.pods.versions.get(pod)


class FromLogs:
    """Counts what an intake receives while `running`."""

    origin: Literal["otlp"] = "otlp"

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._watches: dict[GroupRef, _Watch] = {}
        self._read: WeakKeyDictionary[Source, dict[tuple[GroupRef, str], float]] = WeakKeyDictionary()  # when
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Read the intake on a thread while the block runs."""
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                self.add(self._intake.take(0.2))

        thread = threading.Thread(target=read, name="access logs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def add(self, records: Sequence[LogRecord]) -> None:
        """Count records; one that cannot be read is left out."""
        now, at = time.monotonic(), time.time()
        with self._lock:
            for watch in self._watches.values():
                for record in records:
                    try:
                        watch.count(record, now, at)
                    except Exception:  # noqa: BLE001  a record is anybody's: one that cannot be read must not end the rest
                        continue

    def flows(self, source: Source, stated: Stated, wait: float) -> Seen[Flow]:
        watch = self._watch(source, stated)
        with self._lock:
            return Seen(watch.traffic.flows(time.time()), watch.since)

    def carry(self, source: Source, stated: Stated, wait: float) -> Seen[VersionCarry]:
        watch = self._watch(source, stated)
        with self._lock:
            return Seen(watch.judge.report(time.monotonic()), watch.since)

    def _watch(self, source: Source, stated: Stated) -> _Watch:
        group, now = stated.group.spec, time.monotonic()
        ref = GroupRef(group.metadata.namespace, group.metadata.name)
        fresh = self._fresh_pods(source, stated, ref, now)
        known = self._watches.get(ref)
        if known is None or known.mark != stated.mark:
            known = _Watch(stated.mark, fresh or Pods.read(source, group))
            known.begin(stated)
        elif fresh:
            # The last records of Pods that have ended may still come.
            known.pods = Pods({**known.pods.versions, **fresh.versions}, fresh.workloads) if fresh.versions else fresh
        known.looked = now
        with self._lock:
            self._watches[ref] = known
            for one, watch in sorted(self._watches.items(), key=lambda pair: pair[1].looked):
                if now - watch.looked > FORGET or len(self._watches) > MOST:
                    del self._watches[one]
        return known

    def _fresh_pods(self, source: Source, stated: Stated, ref: GroupRef, now: float) -> Pods | None:
        """The group's Pods, read by each person who looks: whoever may not list them sees no figures of them.

        Returns:
            None where this person has read them a moment ago.
        """
        seen = ref, stated.mark
        with self._lock:
            if now - self._read.get(source, {}).get(seen, float("-inf")) < REFRESH:
                return None
        pods = Pods.read(source, stated.group.spec)
        with self._lock:
            recent = {one: at for one, at in self._read.get(source, {}).items() if now - at < REFRESH}
            self._read[source] = {**recent, seen: now}
        return pods
