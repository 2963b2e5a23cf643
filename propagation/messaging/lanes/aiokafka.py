"""aiokafka: a consumer that takes its lane's messages, and the baseline's those of lanes without a consumer.

    lanes = LaneFilter(os.environ.get("LANE"), "/etc/graylane/consumers.json", consumer="orders")
    async with LaneConsumer("orders", lanes=lanes, group_id="orders", bootstrap_servers="kafka:9092") as consumer:
        async for message in consumer:
            ...

The same program runs in every lane. `kafka_handover` tells how the groups share the topic.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from inspect import isawaitable, signature
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from propagation.messaging.lanes.aiokafka_look import ASK_SECONDS, Look, as_committed
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import (
    STAND_IN,
    Committed,
    Partition,
    StandIns,
    View,
)
from propagation.messaging.lanes.kafka_sides import (
    LINGER_SECONDS,
    LOOK_SECONDS,
    BaselineSide,
    Do,
    LaneSide,
    side_of,
)

_SLICE_SECONDS = 0.1  # of waiting for messages: then comes what else is due
_AT_ONCE = 200  # messages to take from the client at once
_WORK_SECONDS = 4.0  # for the message at hand, when its partition goes to another member
# A dead consumer's partitions are given away after its session: the lowest that a broker takes by default.
_LEASE = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 2000}
_ADMINS = frozenset(signature(AIOKafkaAdminClient.__init__).parameters) - {"self", "loop"}


class LaneConsumer:
    """A consumer of one lane, or of the baseline, used as aiokafka's own.

    topics, config: of an AIOKafkaConsumer. `group_id` is the group of the baseline's consumers, in every lane. lanes:
    which lane this is, and who is meant to be there. listener: told of the partitions of this lane's own group.
    linger: seconds for which the baseline stands in for a lane without a consumer before it takes back the lane's
    messages for good. look: seconds between looks at the groups.

    With `enable_auto_commit`, the default, a message counts as handled when the next is asked for; without it, when
    `commit` or `handled` says so. The offset of a message that is not handled is never committed, nor one behind it.
    """

    def __init__(
        self,
        *topics: str,
        lanes: LaneFilter,
        group_id: str,
        listener: ConsumerRebalanceListener | None = None,
        linger: float = LINGER_SECONDS,
        look: float = LOOK_SECONDS,
        enable_auto_commit: bool = True,
        auto_commit_interval_ms: int = 5000,
        **config: Any,
    ) -> None:
        self._topics, self._lanes, self._group, self._config = topics, lanes, group_id, config
        self._listener, self._linger, self._every = listener, linger, look
        self._auto, self._interval = enable_auto_commit, auto_commit_interval_ms / 1000
        self._paused: set[Partition] = set()
        self._side = side_of(lanes, group_id)
        self._stand_ins: dict[str, _Member] = {}
        self._wanted = StandIns()
        self._due = 0.0

    async def start(self) -> None:
        """Connect and join the group."""
        admin = AIOKafkaAdminClient(**{name: value for name, value in self._config.items() if name in _ADMINS})
        self._look = Look(admin, self._group, self._lanes, isinstance(self._side, BaselineSide))
        await self._look.start(self._every)
        self._shared = _Shared(self._topics, self._lanes, self._paused, self._auto, self._look)
        self._view = self._look.view
        self._side.refresh(self._view)
        self._own = self._member(self._side, self._listener)
        try:
            await self._own.start()
        except BaseException:
            await self._look.stop()
            raise

    async def stop(self) -> None:
        """Commit what is handled and leave the groups."""
        if self._auto:
            self._all_handled()
        await self._look.stop()
        for member in self._members():
            await member.stop()
        self._stand_ins.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What failed is not handled: its message comes again.
        self._auto = self._auto and error is None
        await self.stop()

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """aiokafka's consumer in the group of this lane, to look at; committing by it undoes the handover."""
        return self._own.consumer

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._each()

    async def getone(self) -> Any:
        """The next message for this consumer."""
        if self._auto:
            self._all_handled()
        while (message := await self._next(_SLICE_SECONDS)) is None:
            pass
        return message

    async def getmany(self, *, timeout_ms: int = 0, max_records: int = 500) -> list[Any]:
        """Up to `max_records` messages for this consumer, in order of partitions; those that come in `timeout_ms`."""
        if self._auto:
            self._all_handled()
        until = monotonic() + timeout_ms / 1000
        found: list[Any] = []
        while len(found) < max_records:
            left = 0.0 if found else max(0.0, until - monotonic())
            message = await self._next(left)
            if message is not None:
                found.append(message)
            elif found or monotonic() >= until:
                break
        return found

    async def commit(self, message: Any = None) -> None:
        """The message, and what this consumer got of its partition before it, is handled; without one, all is.

        Raises KafkaError if the broker refuses. Of a partition that another consumer has meanwhile, nothing is
        committed: its messages come again there.
        """
        if message is None:
            self._all_handled()
        elif member := self._holder(*_place(message)):
            partition, offset = _place(message)
            member.side.progress[partition].handled_through(offset)
        for one in self._members():
            await one.commit()

    def handled(self, message: Any) -> None:
        """This message is handled, whatever is still at work; it is committed when those before it are handled too."""
        partition, offset = _place(message)
        if member := self._holder(partition, offset):
            member.side.progress[partition].handled(offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Get the messages from this offset on again, as for a retry of one that is not handled yet."""
        where = (partition.topic, partition.partition)
        (self._holder(where, offset) or self._own).read_again(where, offset)

    def pause(self, *partitions: TopicPartition) -> None:
        """Get no messages of these partitions, of whatever lane."""
        self._paused.update((one.topic, one.partition) for one in partitions)
        for member in self._members():
            member.pause(self._paused)

    def resume(self, *partitions: TopicPartition) -> None:
        """Get messages of these partitions again."""
        where = {(one.topic, one.partition) for one in partitions}
        self._paused -= where
        for member in self._members():
            member.resume(where)

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this consumer has in its own group."""
        found: set[TopicPartition] = set(self._own.consumer.assignment())
        return found

    async def _each(self) -> AsyncIterator[Any]:
        while True:
            yield await self.getone()

    def _member(self, side: BaselineSide | LaneSide, listener: Any = None, linger: float | None = None) -> "_Member":
        settings = {**self._config, "group_id": self._group, "enable_auto_commit": False}
        if isinstance(side, LaneSide):
            # A lane's consumer begins where the baseline leaves off; what is gone from there, at what is left.
            settings = {**_LEASE, **settings, "group_id": side.group, "auto_offset_reset": "earliest"}
        if linger is not None:
            settings["client_id"] = f"{STAND_IN}.{self._config.get('client_id', 'aiokafka')}"
            # As a static member it would keep the lane's own consumer from its partitions after it has left.
            settings.pop("group_instance_id", None)
        consumer = AIOKafkaConsumer(**settings)
        return _Member(consumer, settings["group_id"], self._shared, side, listener, linger)

    def _members(self) -> list["_Member"]:
        return [*self._stand_ins.values(), self._own]

    def _holder(self, partition: Partition, offset: int) -> "_Member | None":
        return next((member for member in self._members() if member.side.holds(partition, offset)), None)

    def _all_handled(self) -> None:
        for member in self._members():
            for progress in member.side.progress.values():
                progress.handled_through()

    async def _next(self, timeout: float) -> Any:
        await self._do_what_is_due()
        for member in list(self._stand_ins.values()):
            try:
                if (message := await member.next(0)) is not None:
                    return message
            except KafkaError as error:
                self._lanes.warnings.warn("stand-in", "standing in for %s: %r", member.group, error)
        return await self._own.next(min(timeout, _SLICE_SECONDS))

    async def _do_what_is_due(self) -> None:
        if self._look.view is not self._view:
            self._view = self._look.view
            if isinstance(side := self._own.side, BaselineSide):
                await self._stand_in(self._view, side.is_first)
            for member in self._members():
                member.refresh(self._view)
        now = monotonic()
        for member in self._members():
            await member.commit_if(now >= self._due)
        if now >= self._due:
            self._due = now + self._interval

    async def _stand_in(self, view: View, first: bool) -> None:
        wanted = self._wanted.wanted(view, self._stand_ins, first)
        for group in set(self._stand_ins) - wanted:
            await self._stand_ins.pop(group).stop()
        for group in wanted - set(self._stand_ins):
            side = LaneSide(group)
            side.refresh(view)
            member = self._member(side, linger=self._linger)
            try:
                await member.start()
            except KafkaError as error:
                self._lanes.warnings.warn("stand-in", "standing in for %s: %r", group, error)
            else:
                self._stand_ins[group] = member


class _Shared(NamedTuple):
    """What the members of one LaneConsumer have in common."""

    topics: tuple[str, ...]
    lanes: LaneFilter
    paused: set[Partition]
    auto: bool
    look: Look


class _Member(ConsumerRebalanceListener):
    """One member of one group: aiokafka's consumer, and the side that decides about its messages."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        group: str,
        shared: _Shared,
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
        for where in partitions & set(self.side.progress):
            if taken := next((one for one in self._buffer if _place(one)[0] == where), None):
                self._drop(where)
                self.consumer.seek(TopicPartition(*where), taken.offset)
            self.consumer.pause(TopicPartition(*where))

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Resume partitions, unless they wait for the baseline."""
        waiting = self.side.waiting if isinstance(self.side, LaneSide) else set()
        for where in set(partitions) & set(self.side.progress) - waiting - self._paused:
            self.consumer.resume(TopicPartition(*where))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """As aiokafka asks of it, before the partitions go to others."""
        where = {(one.topic, one.partition) for one in revoked}
        for one in where:
            self._drop(one)
        await self._tell("on_partitions_revoked", revoked)
        await self._work_ends(where)
        await self._try_to_commit(where)
        self.side.revoked(where)
        self._unread -= where
        if self._is_own:  # as of every client of Kafka: a pause ends with the assignment
            self._paused -= where

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """As aiokafka asks of it; nothing is handed out before it is known whose messages come."""
        found = list(assigned)
        if found:
            self.consumer.pause(*found)
        self._unread |= {(one.topic, one.partition) for one in found}
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
        except (KafkaError, TimeoutError) as error:
            self._lanes.warnings.warn("assign", "group %s: cannot read its offsets (%r)", self.group, error)
            await asyncio.sleep(_SLICE_SECONDS)

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
            if start is not None:
                self.consumer.seek(TopicPartition(*where), start)
        else:
            start = self.side.assigned(where, committed)
            if start is None:
                return  # until a look tells where the group begins
            self.consumer.seek(TopicPartition(*where), start)
        self.resume([where])

    def _is_for_program(self, message: Any) -> bool:
        where, offset = _place(message)
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
        self._buffer = deque(one for one in self._buffer if _place(one)[0] != where)

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


def _place(message: Any) -> tuple[Partition, int]:
    return (message.topic, message.partition), message.offset
