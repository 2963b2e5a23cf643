"""aiokafka: a consumer that takes its lane's messages, and the baseline's those of lanes without a consumer.

    lanes = LaneFilter(os.environ.get("LANE"), "/etc/graylane/consumers.json", consumer="orders")
    async with LaneConsumer("orders", lanes=lanes, group_id="orders", bootstrap_servers="kafka:9092") as consumer:
        async for message in consumer:
            ...

The same program runs in every lane. `kafka_handover` tells how the groups share the topic.
"""

from collections.abc import AsyncIterator
from inspect import signature
from time import monotonic
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from propagation.messaging.lanes.aiokafka_look import Look
from propagation.messaging.lanes.aiokafka_member import SLICE_SECONDS, Member, Shared, place_of
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import STAND_IN, Partition, StandIns, View
from propagation.messaging.lanes.kafka_sides import (
    LINGER_SECONDS,
    LOOK_SECONDS,
    BaselineSide,
    LaneSide,
    side_of,
)

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
        self._stand_ins: dict[str, Member] = {}
        self._wanted = StandIns()
        self._due = 0.0

    async def start(self) -> None:
        """Connect and join the group."""
        admin = AIOKafkaAdminClient(**{name: value for name, value in self._config.items() if name in _ADMINS})
        self._look = Look(admin, self._group, self._lanes, isinstance(self._side, BaselineSide))
        await self._look.start(self._every)
        self._shared = Shared(self._topics, self._lanes, self._paused, self._auto, self._look)
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
        while (message := await self._next(SLICE_SECONDS)) is None:
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
        elif member := self._holder(*place_of(message)):
            partition, offset = place_of(message)
            member.side.progress[partition].handled_through(offset)
        for one in self._members():
            await one.commit()

    def handled(self, message: Any) -> None:
        """This message is handled, whatever is still at work; it is committed when those before it are handled too."""
        partition, offset = place_of(message)
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

    def _member(self, side: BaselineSide | LaneSide, listener: Any = None, linger: float | None = None) -> Member:
        settings = {**self._config, "group_id": self._group, "enable_auto_commit": False}
        if isinstance(side, LaneSide):
            # A lane's consumer begins where the baseline leaves off; what is gone from there, at what is left.
            settings = {**_LEASE, **settings, "group_id": side.group, "auto_offset_reset": "earliest"}
        if linger is not None:
            settings["client_id"] = f"{STAND_IN}.{self._config.get('client_id', 'aiokafka')}"
            # As a static member it would keep the lane's own consumer from its partitions after it has left.
            settings.pop("group_instance_id", None)
        consumer = AIOKafkaConsumer(**settings)
        return Member(consumer, settings["group_id"], self._shared, side, listener, linger)

    def _members(self) -> list[Member]:
        return [*self._stand_ins.values(), self._own]

    def _holder(self, partition: Partition, offset: int) -> Member | None:
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
        return await self._own.next(min(timeout, SLICE_SECONDS))

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
