"""confluent-kafka: one member of one consumer group, for `confluent_kafka`."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from propagation.messaging.lanes.confluent_look import ASK_SECONDS, committed_of, raise_error_of
from propagation.messaging.lanes.confluent_reading import Reading
from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import Partition, View
from propagation.messaging.lanes.kafka_sides import BaselineSide, Do, LaneSide

Callback = Callable[[Any, list[TopicPartition]], None]
_AT_ONCE = 500  # messages of other groups to pass before what else is due


class Member:
    """One member of one group: confluent-kafka's consumer, and the side that decides about its messages."""

    def __init__(
        self,
        settings: dict[str, Any],
        side: BaselineSide | LaneSide,
        lanes: LaneFilter,
        paused: set[Partition],
        linger: float | None = None,
    ) -> None:
        self.side, self.group = side, settings["group.id"]
        self.consumer = Consumer(settings)
        self._reading = Reading(self.consumer)
        self._lanes, self._paused = lanes, paused
        strategy = str(settings.get("partition.assignment.strategy", ""))
        self._incremental = "cooperative" in strategy or settings.get("group.protocol") == "consumer"
        self._is_own = linger is None
        self._ends = None if linger is None else monotonic() + linger
        self._callbacks: tuple[Callback | None, ...] = (None, None, None)
        self._topics: list[str] = []
        self._rejoin = False

    def subscribe(self, topics: list[str], *callbacks: Callback | None) -> None:
        self._topics, self._callbacks = topics, callbacks or (None, None, None)
        self.consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def next(self, timeout: float) -> Any:
        """A message for the program, or one that has an error; None where none came in time."""
        for _ in range(_AT_ONCE):
            self._rejoin |= self._reading.ask()
            message = self.consumer.poll(timeout)
            if message is None or message.error() is not None:
                return message
            if self._is_for_program(message):
                return message
            timeout = 0
        return None

    def refresh(self, view: View) -> None:
        """Take what a look found."""
        if self._rejoin:
            self._rejoin = False
            self.consumer.unsubscribe()
            self.subscribe(self._topics, *self._callbacks)
        if isinstance(self.side, LaneSide):
            self.side.ending = self._ends is not None and monotonic() >= self._ends
            for where, offset in self.side.refresh(view).items():
                self._reading.go_on(where, offset)
                self.resume([where])
        else:
            self.side.refresh(view)

    def commit(self, partitions: Iterable[Partition] | None = None) -> None:
        """Commit how far the work has come. Raises KafkaException."""
        found = self.side.to_commit(partitions)
        if found:
            offsets = [TopicPartition(*where, now.offset or 0, now.metadata) for where, now in found.items()]
            for one in self.consumer.commit(offsets=offsets, asynchronous=False) or ():
                raise_error_of(one)
            self.side.was_committed(found)

    def commit_if(self, due: bool) -> None:
        """Commit what is due, or what others wait for; what the broker refuses is tried again."""
        found = self.side.to_commit() if due or self.side.changed else {}
        if found and (due or self.side.is_urgent(found)):
            self._try_to_commit()
        self.side.changed = False

    def handled(self, where: Partition, offset: int, through: bool = False) -> None:
        """The program has handled this message; through: and all before it. Not while it is another member's."""
        if progress := self.side.progress.get(where):
            (progress.handled_through if through else progress.handled)(offset)

    def read_again(self, where: Partition, offset: int) -> None:
        """Take the messages from `offset` on again. Raises KafkaException where this member has no such partition."""
        if where not in self.side.progress:
            self.consumer.seek(TopicPartition(*where, offset))
            return
        self._reading.go_on(where, offset)
        self.side.progress[where].read_again(offset)

    def pause(self) -> None:
        """Pause those of the program's paused partitions that this member has."""
        for where in self._paused & set(self.side.progress):
            self._reading.halt(where)

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Resume those of these partitions that neither the program has paused nor wait for the baseline."""
        for where in set(partitions) & set(self.side.progress):
            if not self._is_halted(where):
                self._reading.release(where)

    def close(self) -> None:
        """Commit and leave the group."""
        self._try_to_commit()
        self.consumer.close()

    def _is_halted(self, where: Partition) -> bool:
        return where in self._paused or (isinstance(self.side, LaneSide) and where in self.side.waiting)

    def _is_for_program(self, message: Any) -> bool:
        where, offset = place_of(message)
        if not self._reading.takes(where, offset):
            return False
        verdict = self.side.decide(where, offset, self._lanes.lane_of(message))
        if verdict.do in (Do.WAIT, Do.SKIP):
            self._reading.go_on(where, verdict.offset)
            if verdict.do is Do.WAIT:
                self._reading.halt(where)
        return verdict.do is Do.HANDLE

    def _try_to_commit(self, partitions: Iterable[Partition] | None = None) -> None:
        try:
            self.commit(partitions)
        except KafkaException as error:
            text = "group %s: cannot commit (%s); what is not committed comes again"
            self._lanes.warnings.warn("commit", text, self.group, error)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._learn(partitions)
        except KafkaException as error:
            # Without the metadata it is not known whose messages these are: join again rather than guess.
            self._lanes.warnings.warn("assign", "group %s: cannot read its offsets (%s)", self.group, error)
            self.side.revoked((one.topic, one.partition) for one in partitions)
            self._rejoin, partitions = True, []
        found = [(one.topic, one.partition) for one in partitions]
        self._reading.before_assignment(found)
        (consumer.incremental_assign if self._incremental else consumer.assign)(partitions)
        for where in found:
            self._reading.assigned(where, self.side.progress[where].position, self._is_halted(where))
        self._call(0, partitions)

    def _learn(self, partitions: list[TopicPartition]) -> None:
        for one in self.consumer.committed(partitions, timeout=ASK_SECONDS):
            raise_error_of(one)
            where, found = (one.topic, one.partition), committed_of(one)
            if isinstance(self.side, BaselineSide):
                self.side.assigned(where, found, 0 if found.offset is None else self._end_of(where))
            else:
                start = self.side.assigned(where, found)
                given = next(it for it in partitions if (it.topic, it.partition) == where)
                given.offset = OFFSET_BEGINNING if start is None else start

    def _end_of(self, where: Partition) -> int:
        found = self.consumer.get_watermark_offsets(TopicPartition(*where), timeout=ASK_SECONDS)
        if found is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return int(found[1])

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._call(1, partitions)
        finally:  # the program's own error goes to the program
            self._try_to_commit([(one.topic, one.partition) for one in partitions])
            self._forget(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._call(2 if self._callbacks[2] else 1, partitions)
        finally:
            self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        where = [(one.topic, one.partition) for one in partitions]
        self.side.revoked(where)
        self._reading.revoked(where)
        if self._is_own:  # as of every client of Kafka: a pause ends with the assignment
            self._paused.difference_update(where)

    def _call(self, which: int, partitions: list[TopicPartition]) -> None:
        if callback := self._callbacks[which]:
            callback(self.consumer, partitions)


def place_of(message: Any) -> tuple[Partition, int]:
    """The partition and the offset of a message."""
    return (message.topic(), message.partition()), message.offset()
