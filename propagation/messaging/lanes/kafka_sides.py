"""Kafka: what a member of the baseline's group, and one of a lane's group, do with each message. Pure.

Adapters tell a side what the client and a look found, ask it about each message, and commit what it says.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from propagation.errors import ConfigError
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import (
    Committed,
    Partition,
    Span,
    Spans,
    Stop,
    View,
    changed_spans,
    read_spans,
    read_stop,
    write_spans,
    write_stop,
)
from propagation.messaging.lanes.kafka_progress import Progress

LINGER_SECONDS = 30.0  # for which the baseline stands in for a lane before it takes back the lane's messages for good
LOOK_SECONDS = 0.5  # between looks at the groups


class Do(Enum):
    """What to do with a message."""

    HANDLE = "give it to the program"
    LEAVE = "go on to the next; another group handles it"
    SKIP = "go on at an offset further on; this group has nothing before it"
    WAIT = "read it again later; it is not known yet whose it is"


class Verdict(NamedTuple):
    """do: what to do with a message. offset: where to go on, for SKIP, or what to read again, for WAIT."""

    do: Do
    offset: int


class Side(ABC):
    """One member of a group, by the partitions that it has."""

    def __init__(self) -> None:
        self.view = View()
        self.progress: dict[Partition, Progress] = {}
        self.changed = False  # whether what is committed beside an offset may have changed since it was last asked for
        self._committed: dict[Partition, Committed] = {}

    @abstractmethod
    def metadata(self, partition: Partition) -> str:
        """What is committed beside a partition's offset."""

    @abstractmethod
    def decide(self, partition: Partition, offset: int, lane: str | None) -> Verdict:
        """What to do with a message of `lane`; `progress` is brought up to it."""

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """These partitions are another member's now."""
        for partition in partitions:
            self.progress.pop(partition, None)
            self._committed.pop(partition, None)

    def holds(self, partition: Partition, offset: int) -> bool:
        """Whether the program has this message from here, and has not said yet that it is handled."""
        return partition in self.progress and offset in self.progress[partition]

    def to_commit(self, partitions: Iterable[Partition] | None = None) -> dict[Partition, Committed]:
        """What differs from what was committed, of these partitions or of all."""
        wanted = self.progress if partitions is None else [one for one in partitions if one in self.progress]
        found = {}
        for partition in wanted:
            offset = self.progress[partition].committable
            now = Committed(offset, self.metadata(partition))
            if offset is not None and now != self._committed.get(partition):
                found[partition] = now
        return found

    def is_urgent(self, found: dict[Partition, Committed]) -> bool:
        """Whether others wait for something in this: what is to be committed beside the offsets has changed."""
        return any(now.metadata != self._committed.get(one, Committed()).metadata for one, now in found.items())

    def was_committed(self, found: dict[Partition, Committed]) -> None:
        """The broker has taken what `to_commit` gave."""
        self._committed |= {partition: now for partition, now in found.items() if partition in self.progress}


class BaselineSide(Side):
    """A member of the baseline's group: handles all but the messages in a span of a lane's group."""

    def __init__(self) -> None:
        super().__init__()
        self._spans: dict[Partition, Spans] = {}
        self._redelivered: dict[Partition, int] = {}

    def assigned(self, partition: Partition, committed: Committed, high: int) -> None:
        """This member has the partition now.

        committed: by the group. high: the offset of the next message to be written to the partition; owners before may
        have handled what lies before it, if the group has committed an offset.
        """
        self.progress[partition] = Progress(committed.offset)
        self._committed[partition] = committed
        self._spans[partition] = read_spans(committed.metadata)
        self._redelivered[partition] = 0 if committed.offset is None else high
        self._change(partition)

    @property
    def is_first(self) -> bool:
        """Whether this member has the first partition of a topic."""
        return any(number == 0 for _, number in self.progress)

    def refresh(self, view: View) -> None:
        """Take what a look found."""
        self.view = view
        for partition in self.progress:
            self._change(partition)

    def _change(self, partition: Partition) -> None:
        progress = self.progress[partition]
        if progress.position is None:  # before the first message nothing tells where to begin a span
            return
        self.changed = True
        self._spans[partition] = changed_spans(
            self._spans[partition],
            self.view,
            partition,
            progress.decided,
            self._redelivered[partition],
            progress.committable or 0,
        )

    def metadata(self, partition: Partition) -> str:
        return write_spans(self._spans.get(partition, {}))

    def decide(self, partition: Partition, offset: int, lane: str | None) -> Verdict:
        progress = self.progress[partition]
        if progress.position is None:
            progress.skip_to(offset)
            self._change(partition)
        if lane is not None and _span_of(self._spans[partition], offset, lane):
            progress.leave(offset)
            return Verdict(Do.LEAVE, offset)
        progress.hand_out(offset)
        return Verdict(Do.HANDLE, offset)


class LaneSide(Side):
    """A member of a lane's group, one of the lane's own consumers or a stand-in: handles the messages in its spans.

    group: its name. ending: whether the group is to give back what it has, as a stand-in does after a while.
    """

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group, self.ending = group, False
        self._stops: dict[Partition, Stop | None] = {}
        self.waiting: set[Partition] = set()  # those at whose position it is not known yet whose messages come

    def assigned(self, partition: Partition, committed: Committed) -> int | None:
        """This member has the partition now; the answer is where to begin, None to wait."""
        self.progress[partition] = Progress(committed.offset or 0)
        self._committed[partition] = committed
        self._stops[partition] = read_stop(committed.metadata)
        self.waiting.add(partition)
        return self._moved(partition)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        gone = list(partitions)
        super().revoked(gone)
        self.waiting.difference_update(gone)

    def refresh(self, view: View) -> dict[Partition, int]:
        """Take what a look found; the answer is where to go on in partitions that waited."""
        self.view, self.changed = view, True
        for partition in self.progress:
            self._stop(partition)
        moved = {partition: self._moved(partition) for partition in sorted(self.waiting)}
        return {partition: offset for partition, offset in moved.items() if offset is not None}

    def metadata(self, partition: Partition) -> str:
        return write_stop(self._stops.get(partition))

    def decide(self, partition: Partition, offset: int, lane: str | None) -> Verdict:
        progress = self.progress[partition]
        if partition in self.waiting:  # the client was not paused yet, and may have passed messages
            return Verdict(Do.WAIT, progress.position or 0)
        wanted = self._wanted(partition, offset)
        if wanted is None:
            progress.skip_to(offset)
            self.waiting.add(partition)
            return Verdict(Do.WAIT, offset)
        if wanted > offset:
            progress.skip_to(wanted)
            return Verdict(Do.SKIP, wanted)
        if lane is not None and _span_of({self.group: self._spans(partition)}, offset, lane):
            progress.hand_out(offset)
            return Verdict(Do.HANDLE, offset)
        progress.leave(offset)
        return Verdict(Do.LEAVE, offset)

    def _spans(self, partition: Partition) -> tuple[Span, ...]:
        return self.view.left.get(partition, {}).get(self.group, ())

    def _stop(self, partition: Partition) -> None:
        """Stop in the open span, if the group gives it back or other lanes are meant for it."""
        stop = self._stops[partition]
        for span in self._spans(partition):
            is_open = span.end is None and (stop is None or stop.number < span.number)
            meant = self.view.roster is None or self.view.lanes_of(self.group) == span.lanes
            if is_open and (self.ending or not meant):
                self._stops[partition] = Stop(span.number, max(span.start, self.progress[partition].decided))

    def _moved(self, partition: Partition) -> int | None:
        wanted = self._wanted(partition, self.progress[partition].position or 0)
        if wanted is not None:
            self.progress[partition].skip_to(wanted)
            self.waiting.discard(partition)
        return wanted

    def _wanted(self, partition: Partition, offset: int) -> int | None:
        """The first offset from `offset` on that lies in a span of the group; None where none does yet."""
        stop = self._stops[partition]
        for span in self._spans(partition):
            stopped = span.end is None and stop is not None and stop.number >= span.number
            # What lies before the stop is the group's until it is committed, wherever the span will end.
            end = stop.at if stopped and stop is not None else span.end
            if end is None or offset < end:
                return max(offset, span.start)
        return None


def _span_of(spans: Spans, offset: int, lane: str) -> bool:
    return any(span.contains(offset) and lane in span.lanes for listed in spans.values() for span in listed)


def side_of(lanes: LaneFilter, group: str) -> BaselineSide | LaneSide:
    """What a consumer with this filter is.

    group: the baseline's consumer group. Where the roster does not say otherwise, a lane's is GROUP.LANE.

    Raises ConfigError where the roster names another group of the baseline's.
    """
    roster = lanes.roster
    if roster is not None and roster.baseline_name != group:
        raise ConfigError(f"group.id: {group!r}, while the baseline's group in the roster is {roster.baseline_name!r}")
    if lanes.is_baseline or lanes.name == group:
        return BaselineSide()
    return LaneSide(lanes.name or f"{group}.{lanes.lane}")
