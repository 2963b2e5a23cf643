"""confluent-kafka: where a consumer reads each of its partitions, and that it does, for `confluent_member`.

librdkafka (2.16) carries out seek, pause and resume in a thread of its own, and drops any of them without a word, or
the start of a partition, where another one comes between:
https://github.com/confluentinc/librdkafka/issues/5591, https://github.com/confluentinc/librdkafka/issues/2190.
It also keeps a partition paused when it is revoked and assigned again. So what is wanted is kept here, and asked for
until a message shows that it is so.
"""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

from confluent_kafka import KafkaException, TopicPartition

from propagation.messaging.lanes.kafka_handover import Partition

_SOON_SECONDS = 0.1  # until a seek that was refused is tried again
_AGAIN_SECONDS = 2.0  # for a message to come; then ask again, and after twice as long from time to time
_RARE_SECONDS = 30.0  # between two times, at most: a partition may have no messages
_START_SECONDS = 15.0  # for a partition to take a seek


class Client(Protocol):
    """What is used of confluent-kafka's Consumer."""

    def seek(self, partition: TopicPartition) -> None: ...
    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...


class Reading:
    """The partitions of one consumer. Call `ask` before each poll, and `takes` of each message that comes.

    clock: seconds that never go back.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        self._client, self._clock = client, clock
        self._places: dict[Partition, _Place] = {}
        self._due = float("inf")  # the earliest time that one of them is to be asked for

    def before_assignment(self, partitions: Iterable[Partition]) -> None:
        """End pauses of an earlier assignment, which would hold on. In the callback: later, a resume may undo it."""
        for where in partitions:
            self._do(self._client.resume, where)

    def assigned(self, partition: Partition, offset: int | None, halted: bool = False) -> None:
        """The consumer was just told to read a partition from `offset` on; None where it finds out by itself.

        halted: take nothing of it for now. It is paused with its first message only: sooner, it might never start.
        """
        place = self._places[partition] = _Place(offset)
        place.halted, place.is_sought = halted, not halted
        self._wait(place, float("inf") if halted else _AGAIN_SECONDS)

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """The consumer does not have these partitions any more."""
        for partition in partitions:
            self._places.pop(partition, None)

    def go_on(self, partition: Partition, offset: int) -> None:
        """Read on at `offset`, and no message before it is there."""
        place = self._places[partition]
        place.offset, place.is_sought = offset, False
        self._at_once(place)

    def halt(self, partition: Partition) -> None:
        """Take nothing of a partition until it is released."""
        place = self._places[partition]
        place.halted = True
        self._at_once(place)

    def release(self, partition: Partition) -> None:
        """Read a partition again, behind the last message that was taken."""
        place = self._places[partition]
        if place.halted:
            place.halted, place.is_sought = False, place.offset is None
            self._at_once(place)

    def takes(self, partition: Partition, offset: int) -> bool:
        """Whether a message that came is to be taken; if not, it comes again."""
        place = self._places.get(partition)
        if place is None:
            return False
        if place.halted or not place.is_sought:
            if place.offset is None:
                place.offset = offset
            place.is_sought = False
            self._at_once(place, only_if_later=True)
            return False
        place.offset, place.due, place.wait = offset + 1, float("inf"), _AGAIN_SECONDS
        return True

    def ask(self) -> bool:
        """Ask for what is wanted and not seen yet; the answer is whether a partition seems never to have started."""
        if (now := self._clock()) < self._due:
            return False
        for partition, place in self._places.items():
            if now >= place.due:
                self._ask_for(partition, place)
        self._due = min((place.due for place in self._places.values()), default=float("inf"))
        stuck = [place for place in self._places.values() if now - place.refused_since >= _START_SECONDS]
        for place in stuck:  # once in that time
            place.refused_since = now
        return bool(stuck)

    def _ask_for(self, partition: Partition, place: "_Place") -> None:
        if place.halted:
            paused = self._do(self._client.pause, partition)
            self._wait(place, float("inf") if paused else _SOON_SECONDS)
        elif self._seek(partition, place):
            self._do(self._client.resume, partition)
            place.is_sought = True
            self._wait(place, place.wait)
            place.wait = min(2 * place.wait, _RARE_SECONDS)
        else:
            self._wait(place, _SOON_SECONDS)

    def _seek(self, partition: Partition, place: "_Place") -> bool:
        if place.offset is None:
            return True
        try:
            self._client.seek(TopicPartition(*partition, place.offset))
        except KafkaException:  # it has not started yet, or something else came between
            place.refused_since = min(place.refused_since, self._clock())
            return False
        place.refused_since = float("inf")
        return True

    def _do(self, what: Callable[[list[TopicPartition]], None], partition: Partition) -> bool:
        asked = [TopicPartition(*partition)]
        try:
            what(asked)
        except KafkaException:
            return False
        return not any(one.error for one in asked)

    def _at_once(self, place: "_Place", only_if_later: bool = False) -> None:
        if not only_if_later or place.due == float("inf"):
            place.due, place.wait = self._clock(), _AGAIN_SECONDS
            self._due = min(self._due, place.due)

    def _wait(self, place: "_Place", seconds: float) -> None:
        place.due = self._clock() + seconds
        self._due = min(self._due, place.due)


class _Place:
    """One partition. offset: of the next message to be taken, None while the consumer alone knows it."""

    def __init__(self, offset: int | None) -> None:
        self.offset = offset
        self.halted = False
        self.is_sought = True  # whether what comes is from `offset` on
        self.due, self.wait = float("inf"), _AGAIN_SECONDS  # when to ask again, and for how long to wait then
        self.refused_since = float("inf")
