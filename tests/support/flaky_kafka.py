"""Kafka's consumers over a log in memory, which carry out what is asked of them at some times only.

As librdkafka does, that of confluent-kafka refuses a seek before a partition has started, drops a pause, a resume, or
the start of a partition at a given offset, without a word, and keeps a pause beyond the assignment.
"""

from types import SimpleNamespace
from typing import NamedTuple

from aiokafka import TopicPartition as AioPartition
from aiokafka.errors import CoordinatorLoadInProgressError, IllegalStateError
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from hypothesis import strategies as st

PARTITIONS = [("orders", 0), ("orders", 1)]
_WHERE = st.sampled_from(PARTITIONS)
# What may happen to a `Story`: the name of its method, and the arguments.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["produce", "pause", "resume"]), _WHERE),
        st.tuples(st.sampled_from(["leave", "end"]), _WHERE, st.integers(0, 4)),
        st.sampled_from([("look",), ("rebalance",), ("poll",), ("poll",), ("poll", True)]),
    ),
    max_size=40,
)


class Log:
    """A topic: the lane of each message, by partition; what a group has committed; and a clock that polls move on."""

    def __init__(self, partitions):
        self.lanes = {("orders", number): [] for number in range(partitions)}
        self.committed = {}
        self.now = 0.0

    def clock(self):
        return self.now


class FlakyConsumer:
    """faults: for each thing that may fail, in turn, whether it does; behind them, nothing fails."""

    def __init__(self, log, faults):
        self.log, self._faults = log, iter(faults)
        self.at = {}  # the next offset of each partition that has started
        self.paused = set()
        self._coming, self._assigned = [], []

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        self._on_assign, self._on_revoke = on_assign, on_revoke
        self._coming.append("assign")

    def unsubscribe(self):
        self._coming.append("revoke")

    def rebalance(self):
        self._coming += ["revoke", "assign"]

    def poll(self, timeout):
        self.log.now += max(timeout, 0.01)
        while self._coming:
            self._call(self._coming.pop(0))
        for where, offset in self.at.items():
            if where not in self.paused and offset < len(self.log.lanes[where]):
                self.at[where] += 1
                return Message(where, offset, self.log.lanes[where][offset])
        return None

    def assign(self, partitions):
        self._assigned = [(one.topic, one.partition) for one in partitions]
        starts = {(one.topic, one.partition): one.offset for one in partitions}
        known = {where for where, offset in starts.items() if offset >= 0 or offset == OFFSET_BEGINNING}
        self.at = {
            where: self._start(where, offset)
            for where, offset in starts.items()
            if where not in known or not self._fails()
        }

    def seek(self, partition):
        where = (partition.topic, partition.partition)
        if where not in self.at or self._fails():
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.at[where] = partition.offset

    def pause(self, partitions):
        self.paused |= {(one.topic, one.partition) for one in partitions if not self._fails()}

    def resume(self, partitions):
        asked = self.paused & {(one.topic, one.partition) for one in partitions}
        self.paused -= {where for where in sorted(asked) if not self._fails()}

    def committed(self, partitions, timeout):
        found = [self.log.committed.get((one.topic, one.partition), (-1001, "")) for one in partitions]
        return [TopicPartition(one.topic, one.partition, *it) for one, it in zip(partitions, found, strict=True)]

    def commit(self, offsets, asynchronous):
        if self._fails():
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.log.committed |= {(one.topic, one.partition): (one.offset, one.metadata) for one in offsets}

    def get_watermark_offsets(self, partition, timeout):
        return 0, len(self.log.lanes[partition.topic, partition.partition])

    def close(self):
        pass

    def _fails(self):
        return next(self._faults, False)

    def _start(self, where, offset):
        if offset == OFFSET_BEGINNING:
            return 0
        return offset if offset >= 0 else max(0, self.log.committed.get(where, (0, ""))[0])

    def _call(self, what):
        if what == "assign":
            self._on_assign(self, [TopicPartition(*where) for where in self.log.lanes])
        elif self._assigned:
            revoked, self._assigned = self._assigned, []
            self._on_revoke(self, [TopicPartition(*where) for where in revoked])
            self.at = {}


class Message(SimpleNamespace):
    """A message as the client gives it; `lane` is what its headers say."""

    def __init__(self, where, offset, lane):
        super().__init__(where=where, at=offset, lane=lane)

    def topic(self):
        return self.where[0]

    def partition(self):
        return self.where[1]

    def offset(self):
        return self.at

    def error(self):
        return None


class FlakyAioConsumer:
    """aiokafka's AIOKafkaConsumer in the same way: commits and questions may fail, and partitions are away for a while
    when a group gives them out anew: then a seek, a pause and a resume are refused.
    """

    def __init__(self, log, faults):
        self.log, self._faults = log, iter(faults)
        self.at = {}
        self.paused = set()

    def give(self, partitions):
        """The group has given these partitions to this consumer; it reads them from what is committed."""
        self.at = {where: max(0, self.log.committed.get(where, (0, ""))[0]) for where in partitions}
        self.paused = set()

    def assignment(self):
        return {AioPartition(*where) for where in self.at}

    async def getmany(self, timeout_ms, max_records):
        found = {}
        for where, offset in self.at.items():
            lanes = self.log.lanes[where][offset : offset + 2]
            if lanes and where not in self.paused:
                found[AioPartition(*where)] = [
                    AioMessage(where[0], where[1], offset + i, lane) for i, lane in enumerate(lanes)
                ]
                self.at[where] += len(lanes)
        return found

    def seek(self, partition, offset):
        self.at[self._held(partition)] = offset

    def pause(self, *partitions):
        self.paused |= {self._held(one) for one in partitions}

    def resume(self, *partitions):
        self.paused -= {self._held(one) for one in partitions}

    async def committed(self, partition):
        self._may_fail()
        offset = self.log.committed.get(tuple(partition), (-1, ""))[0]
        return None if offset < 0 else offset

    async def offsets(self, group, partitions):
        """As the AdminClient answers."""
        self._may_fail()
        found = {one: self.log.committed.get(tuple(one), (-1, "")) for one in partitions}
        return {one: SimpleNamespace(offset=offset, metadata=metadata) for one, (offset, metadata) in found.items()}

    async def end_offsets(self, partitions):
        return {one: len(self.log.lanes[tuple(one)]) for one in partitions}

    async def commit(self, offsets):
        self._may_fail()
        self.log.committed |= {tuple(one): found for one, found in offsets.items()}

    def _held(self, partition):
        if tuple(partition) not in self.at:
            raise IllegalStateError(f"No current assignment for partition {partition}")
        return tuple(partition)

    def _may_fail(self):
        if next(self._faults, False):
            raise CoordinatorLoadInProgressError()


class AioMessage(NamedTuple):
    """A message as aiokafka gives it; `lane` is what its headers say."""

    topic: str
    partition: int
    offset: int
    lane: str | None


def check_the_lanes_part(story):
    """A lane's member has handled and committed all that is its own, and no partition is left paused."""
    left = {
        (where, offset)
        for where, lanes in story.log.lanes.items()
        for offset, lane in enumerate(lanes)
        if lane == "gray" and any(span.contains(offset) for span in story.spans[where])
    }
    assert set(story.handled) == left
    assert story.client.paused == set()
    assert {where: offset for where, (offset, _) in story.log.committed.items()} == {
        where: len(lanes) for where, lanes in story.log.lanes.items()
    }
