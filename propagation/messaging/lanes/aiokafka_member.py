"""aiokafka: one member of one consumer group, for `aiokafka`."""

import asyncio
from collections import deque
from collections.abc import Iterable
from inspect import isawaitable
from time import monotonic
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from propagation.messaging.lanes.aiokafka_look import ASK_SECONDS, Look, as_committed
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import Committed, Partition, View
from propagation.messaging.lanes.kafka_sides import BaselineSide, Do, LaneSide

SLICE_SECONDS = 0.1  # of waiting for messages: then comes what else is due
_AT_ONCE = 200  # messages to take from the client at once
_WORK_SECONDS = 4.0  # for the message at hand, when its partition goes to another member


class Shared(NamedTuple):
    """What the members of one LaneConsumer have in common."""

    topics: tuple[str, ...]
    lanes: LaneFilter
    paused: set[Partition]
    auto: bool
    look: Look


class Member(ConsumerRebalanceListener):
    """One member of one group: aiokafka's consumer, and the side that decides about its messages."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        group: str,
        shared: Shared,
        side: BaselineSide | LaneSide,
        listener: ConsumerRebalanceListener | None,
        linger: float | None,
    ) -> None:
        self.consumer, self.group, self.side = consumer, group, side
        self._topics, self._lanes, self._paused, self._auto, self._look = shared
        self._listener, self._is_own = listener, linger is None
        self._ends = None if linger is None else monotonic() + linger
        self._buffer: deque[Any] = deque()  # taken from the client, not decided about
        self._unread: set[Partition] = set()  # assigned; what the group has committed for them is not known yet
        self._first: dict[Partition, int] = {}  # the first message that came of such a partition

    async def start(self) -> None:
        await self.consumer.start()
        self.consumer.subscribe(self._topics, listener=self)

    async def stop(self) -> None:
        """Commit and leave the group."""
        await self._try_to_commit()
        await self.consumer.stop()

    async def next(self, timeout: float) -> Any:
        """A message for the program, None where none came in time."""
        if self._unread:
            await self._read_committed()
        if not self._buffer:
            taken = await self.consumer.getmany(timeout_ms=int(timeout * 1000), max_records=_AT_ONCE)
            for records in taken.values():
                self._buffer.extend(records)
        while self._buffer:
            message = self._buffer.popleft()
            if self._is_for_program(message):
                return message
        return None

    def refresh(self, view: View) -> None:
        """Take what a look found."""
        if isinstance(self.side, LaneSide):
            self.side.ending = self._ends is not None and monotonic() >= self._ends
            for where, offset in self.side.refresh(view).items():
                self._go_on(where, offset)
        else:
            self.side.refresh(view)

    def read_again(self, where: Partition, offset: int) -> None:
        """Take the messages from `offset` on again."""
        self._drop(where)
        self.consumer.seek(TopicPartition(*where), offset)
        if where in self.side.progress:
            self.side.progress[where].read_again(offset)

    async def commit(self, partitions: Iterable[Partition] | None = None) -> None:
        """Commit how far the work has come. Raises KafkaError."""
        found = self.side.to_commit(partitions)
        if found:
            # confluent-kafka, which may have the partition next, reads on to the zero that ends a string in C.
            offsets = {TopicPartition(*one): (now.offset or 0, f"{now.metadata}\0") for one, now in found.items()}
            await self.consumer.commit(offsets)
            self.side.was_committed(found)

    async def commit_if(self, due: bool) -> None:
        """Commit what is due, or what others wait for; what the broker refuses is tried again."""
        found = self.side.to_commit() if due or self.side.changed else {}
        if found and (due or self.side.is_urgent(found)):
            await self._try_to_commit()
        self.side.changed = False

    def pause(self, partitions: set[Partition]) -> None:
        """Pause those of these partitions that this member has; what was taken of them is taken again later."""
        for where in self._had(partitions):
            if taken := next((one for one in self._buffer if place_of(one)[0] == where), None):
                self._drop(where)
                self.consumer.seek(TopicPartition(*where), taken.offset)
            self.consumer.pause(TopicPartition(*where))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Resume partitions, unless they wait for the baseline."""
        waiting = self.side.waiting if isinstance(self.side, LaneSide) else set()
        for where in self._had(set(partitions)) - waiting - self._paused:
            self.consumer.resume(TopicPartition(*where))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """As aiokafka asks of it, before the partitions go to others."""
        where = {(one.topic, one.partition) for one in revoked}
        for one, offset in map(place_of, self._buffer):
            if one in where:  # it comes again; where nothing is committed yet, only this tells from where on
                self._first.setdefault(one, offset)
        for one in where:
            self._drop(one)
        try:
            await self._tell("on_partitions_revoked", revoked)
        finally:  # aiokafka logs what the program's listener raises, and goes on
            await self._work_ends(where)
            await self._try_to_commit(where)
            self._forget(where)

    def _forget(self, where: set[Partition]) -> None:
        for one in self._had(where):
            if (work := self.side.progress[one].committable) is not None:
                self._first[one] = work  # what came behind it was given up, and is not committed
        self.side.revoked(where)
        self._unread -= where
        if self._is_own:  # as of every client of Kafka: a pause ends with the assignment
            self._paused -= where

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """As aiokafka asks of it; nothing is handed out before it is known whose messages come."""
        found = list(assigned)
        if found:
            self.consumer.pause(*found)
        self._forget(set(self.side.progress))  # whatever became of the call that was to come before
        self._unread = {(one.topic, one.partition) for one in found}
        self._buffer = deque(one for one in self._buffer if place_of(one)[0] in self._unread)
        self._first = {one: offset for one, offset in self._first.items() if one in self._unread}
        await self._tell("on_partitions_assigned", found)

    async def _read_committed(self) -> None:
        """Find out whose messages come in partitions that were assigned, and begin there."""
        where = sorted(self._unread)
        try:
            for one in where:
                async with asyncio.timeout(ASK_SECONDS):
                    committed, high = await self._committed(one), 0
                    if committed.offset is not None and isinstance(self.side, BaselineSide):
                        high = (await self.consumer.end_offsets([TopicPartition(*one)]))[TopicPartition(*one)]
                if one in self._unread:  # not revoked meanwhile
                    self._unread.discard(one)
                    self._begin(one, committed, high)
        except (KafkaError, TimeoutError, UnicodeDecodeError) as error:  # the last: metadata of another client
            self._lanes.warnings.warn("assign", "group %s: cannot read its offsets (%r)", self.group, error)
            await asyncio.sleep(SLICE_SECONDS)

    async def _committed(self, where: Partition) -> Committed:
        """What the group has committed. The consumer waits for a broker that is not ready, and drops the metadata."""
        partition = TopicPartition(*where)
        for _ in range(10):
            offset = await self.consumer.committed(partition)
            found = as_committed(await self._look.offsets(self.group, [partition])).get(where, Committed())
            if found.offset == offset:
                return found
            await asyncio.sleep(0.2)
        raise KafkaError(f"no agreement on the offset of {where}")

    def _begin(self, where: Partition, committed: Committed, high: int) -> None:
        first = self._first.pop(where, None)
        if isinstance(self.side, BaselineSide):
            self.side.assigned(where, committed, high)
            start = first if committed.offset is None else committed.offset
            if start is None:
                self.resume([where])
                return
        else:
            start = self.side.assigned(where, committed)
        if start is not None:  # else, a look tells later where the group begins
            self._go_on(where, start)

    def _is_for_program(self, message: Any) -> bool:
        where, offset = place_of(message)
        if where not in self.side.progress:  # taken from the client before it was paused
            self._first.setdefault(where, offset)
            return False
        verdict = self.side.decide(where, offset, self._lanes.lane_of(message))
        if verdict.do is Do.WAIT:
            self._drop(where)
            self.consumer.pause(TopicPartition(*where))
        elif verdict.do is Do.SKIP:
            self._go_on(where, verdict.offset)
        return verdict.do is Do.HANDLE

    def _go_on(self, where: Partition, offset: int) -> None:
        self._drop(where)
        self.consumer.seek(TopicPartition(*where), offset)
        self.resume([where])

    def _drop(self, where: Partition) -> None:
        self._buffer = deque(one for one in self._buffer if place_of(one)[0] != where)

    async def _work_ends(self, where: set[Partition]) -> None:
        """Wait for the program's message at hand: unlike other clients, aiokafka rebalances while it is at work."""
        until = monotonic() + _WORK_SECONDS
        while self._auto and monotonic() < until and any(self.side.progress[one].at_work for one in self._had(where)):
            await asyncio.sleep(0.02)

    def _had(self, where: set[Partition]) -> set[Partition]:
        return where & set(self.side.progress)

    async def _try_to_commit(self, partitions: Iterable[Partition] | None = None) -> None:
        try:
            await self.commit(partitions)
        except KafkaError as error:
            text = "group %s: cannot commit (%r); what is not committed comes again"
            self._lanes.warnings.warn("commit", text, self.group, error)

    async def _tell(self, what: str, partitions: Iterable[TopicPartition]) -> None:
        if self._listener is not None:
            answer = getattr(self._listener, what)(partitions)
            if isawaitable(answer):
                await answer


def place_of(message: Any) -> tuple[Partition, int]:
    return (message.topic, message.partition), message.offset
