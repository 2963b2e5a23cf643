"""confluent-kafka: a consumer that takes its lane's messages, and the baseline's those of lanes without a consumer.

    lanes = LaneFilter(os.environ.get("LANE"), "/etc/graylane/consumers.json", consumer="orders")
    consumer = LaneConsumer({"bootstrap.servers": "kafka:9092", "group.id": "orders"}, lanes)
    consumer.subscribe(["orders"])
    while True:
        message = consumer.poll(1.0)

The same program runs in every lane. `kafka_handover` tells how the groups share the topic.
"""

from collections.abc import Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from propagation.messaging.lanes.confluent_look import Look
from propagation.messaging.lanes.confluent_member import Callback, Member, place_of
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import STAND_IN, Partition, StandIns, View
from propagation.messaging.lanes.kafka_sides import (
    LINGER_SECONDS,
    LOOK_SECONDS,
    BaselineSide,
    LaneSide,
    Side,
    side_of,
)

_SLICE_SECONDS = 0.1  # of waiting for one member's message while there are others
_ALONE_SECONDS = 0.25  # of waiting for a message: then comes what else is due
# The settings by which clients connect.
_SHARED = ("bootstrap.", "metadata.", "security.", "sasl.", "ssl.", "socket.", "broker.", "client.", "oauth", "log")
# A dead consumer's partitions are given away after its session: the lowest that a broker takes by default.
_LEASE = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}


class LaneConsumer:
    """A consumer of one lane, or of the baseline, used as confluent-kafka's own.

    config: of a Consumer. Its `group.id` is the group of the baseline's consumers, in every lane. lanes: which lane
    this is, and who is meant to be there. linger: seconds for which the baseline stands in for a lane without a
    consumer before it takes back the lane's messages for good. look: seconds between looks at the groups.

    With `enable.auto.commit`, the default, a message counts as handled when the next is asked for; without it, when
    `commit` or `handled` says so. The offset of a message that is not handled is never committed, nor one behind it.
    Use it in one thread; `commit` and `handled` may be called in others.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        lanes: LaneFilter,
        *,
        linger: float = LINGER_SECONDS,
        look: float = LOOK_SECONDS,
    ) -> None:
        self._config, self._lanes, self._linger = dict(config), lanes, linger
        self._auto = _is_true(self._config.pop("enable.auto.commit", True))
        self._interval = float(self._config.pop("auto.commit.interval.ms", 5000)) / 1000
        self._group = str(self._config["group.id"])
        self._paused: set[Partition] = set()
        side = side_of(lanes, self._group)
        self._own = Member(self._settings(side), side, lanes, self._paused)
        self._stand_ins: dict[str, Member] = {}
        self._wanted = StandIns()
        self._topics: list[str] = []
        others = isinstance(side, BaselineSide)
        self._look = Look(_connect_config(self._config), self._group, lanes, look, others)
        self._view: View | None = None
        self._due = 0.0
        self._closed = False

    @property
    def consumer(self) -> Consumer:
        """confluent-kafka's consumer in the group of this lane, to look at; committing by it undoes the handover."""
        return self._own.consumer

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Callback | None = None,
        on_revoke: Callback | None = None,
        on_lost: Callback | None = None,
    ) -> None:
        """As Consumer's; the callbacks are for this lane's own group, and get this object as the consumer."""
        self._topics = list(topics)
        self._look.start(self._topics)
        self._own.subscribe(self._topics, *(self._callback(one) for one in (on_assign, on_revoke, on_lost)))

    def poll(self, timeout: float = -1) -> Any:
        """The next message for this consumer, None after `timeout` seconds without one (-1: no end)."""
        until = None if timeout is None or timeout < 0 else monotonic() + timeout
        if self._auto:
            self._all_handled()
        while not self._closed:
            self._do_what_is_due()
            left = 1.0 if until is None else max(0.0, until - monotonic())
            message = self._next(left)
            if message is not None or (until is not None and monotonic() >= until):
                return message
        raise RuntimeError("Consumer closed")

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        """Up to `num_messages`, fewer after `timeout` seconds."""
        until = None if timeout is None or timeout < 0 else monotonic() + timeout
        if self._auto:
            self._all_handled()
        found: list[Any] = []
        while len(found) < num_messages and (until is None or monotonic() < until or not found):
            self._do_what_is_due()
            message = self._next(1.0 if until is None else max(0.0, until - monotonic()))
            if message is not None:
                found.append(message)
            elif until is not None and monotonic() >= until:
                break
        return found

    def commit(self, message: Any = None, asynchronous: bool = True) -> None:
        """The message, and what this consumer got of its partition before it, is handled; without one, all is.

        asynchronous: commit it with the next `poll`; False: now, and raise KafkaException if the broker refuses. Of a
        partition that another consumer has meanwhile, nothing is committed: its messages come again there.
        """
        if message is None:
            self._all_handled()
        elif member := self._holder(*place_of(message)):
            member.handled(*place_of(message), through=True)
        self._due = 0.0
        if not asynchronous:
            for one in self._members():
                one.commit()

    def handled(self, message: Any) -> None:
        """This message is handled, whatever is still at work; it is committed when those before it are handled too."""
        if member := self._holder(*place_of(message)):
            member.handled(*place_of(message))

    def seek(self, partition: TopicPartition) -> None:
        """Get the messages from this offset on again, as for a retry of one that is not handled yet."""
        where = (partition.topic, partition.partition)
        (self._holder(where, partition.offset) or self._own).read_again(where, partition.offset)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Get no messages of these partitions, of whatever lane."""
        self._paused.update((one.topic, one.partition) for one in partitions)
        for member in self._members():
            member.pause()

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Get messages of these partitions again."""
        where = {(one.topic, one.partition) for one in partitions}
        self._paused -= where
        for member in self._members():
            member.resume(where)

    def assignment(self) -> list[TopicPartition]:
        """The partitions that this consumer has in its own group."""
        found: list[TopicPartition] = self._own.consumer.assignment()
        return found

    def close(self) -> None:
        """Commit what is handled and leave the groups."""
        if self._closed:
            return
        self._closed = True
        if self._auto:
            self._all_handled()
        self._look.stop()
        for member in self._members():
            member.close()
        self._stand_ins.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What failed is not handled: its message comes again.
        self._auto = self._auto and error is None
        self.close()

    def _settings(self, side: Side) -> dict[str, Any]:
        lease = _LEASE if isinstance(side, LaneSide) else {}
        group = side.group if isinstance(side, LaneSide) else self._group
        # A lane's consumer begins where the baseline leaves off; what is gone from there, it begins at what is left.
        first = {"auto.offset.reset": "earliest"} if isinstance(side, LaneSide) else {}
        return {**lease, **self._config, **first, "group.id": group, "enable.auto.commit": False}

    def _members(self) -> list[Member]:
        return [*self._stand_ins.values(), self._own]

    def _holder(self, partition: Partition, offset: int) -> Member | None:
        return next((member for member in self._members() if member.side.holds(partition, offset)), None)

    def _all_handled(self) -> None:
        for member in self._members():
            for progress in list(member.side.progress.values()):  # another thread may have a rebalance
                progress.handled_through()

    def _callback(self, given: Callback | None) -> Callback | None:
        return given and (lambda _, partitions: given(self, partitions))

    def _next(self, timeout: float) -> Any:
        for member in list(self._stand_ins.values()):
            message = member.next(0)
            if message is not None and message.error() is None:
                return message
            if message is not None:
                self._lanes.warnings.warn("stand-in", "standing in for %s: %s", member.group, message.error())
        return self._own.next(min(timeout, _SLICE_SECONDS if self._stand_ins else _ALONE_SECONDS))

    def _do_what_is_due(self) -> None:
        view = self._look.view
        if view is not self._view:
            self._view = view
            if isinstance(side := self._own.side, BaselineSide):
                self._stand_in(view, side.is_first)
            for member in self._members():
                member.refresh(view)
        now = monotonic()
        for member in self._members():
            member.commit_if(now >= self._due)
        if now >= self._due:
            self._due = now + self._interval

    def _stand_in(self, view: View, first: bool) -> None:
        wanted = self._wanted.wanted(view, self._stand_ins, first)
        for group in set(self._stand_ins) - wanted:
            self._stand_ins.pop(group).close()
        for group in wanted - set(self._stand_ins):
            side = LaneSide(group)
            settings = self._settings(side) | {"client.id": f"{STAND_IN}.{self._config.get('client.id', 'rdkafka')}"}
            # As a static member it would keep the lane's own consumer from its partitions after it has left.
            settings.pop("group.instance.id", None)
            self._stand_ins[group] = Member(settings, side, self._lanes, self._paused, self._linger)
            self._stand_ins[group].subscribe(self._topics)


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "yes")


def _connect_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name.startswith(_SHARED)}
