"""confluent-kafka: looks at the consumer groups of its topics, for `confluent_kafka`.

Two faults of librdkafka (up to 2.16 at least) end the whole process, and decide what is asked in which way:

- An AdminClient that asks for a group's offsets follows a null pointer where the answer is that the coordinator is
  another, or not ready. A Consumer, which need not be a member, asks for them safely.
- Where an AdminClient's question to a coordinator has timed out there, an assertion fails as soon as the coordinator is
  back. So none does: it has an hour, and goes with its client long before.
"""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from threading import Event, Thread
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import Committed, Partition, View, is_stand_in, looked

ASK_SECONDS = 5.0  # for the broker's answers
_PENDING_SECONDS = 3600.0  # for which librdkafka waits for one; none is waited for so long
_SHORTEST_SECONDS = 0.1  # for an answer that comes late in a look
_PARTITIONS_SECONDS = 10.0  # for which the list of partitions holds


class Look:
    """Looks at the groups again and again, in a thread of its own: the broker's answers take their time.

    config: what clients of librdkafka need to connect. group: the baseline's. every: seconds. others: whether to ask
    for the lanes' groups too, as the baseline's consumers need it.
    """

    def __init__(self, config: dict[str, Any], group: str, lanes: LaneFilter, every: float, others: bool) -> None:
        self.view = View(lanes.roster)
        self._group, self._lanes, self._every, self._others = group, lanes, every, others
        self._offsets, self._members = _Offsets(config), _Members(config)
        self._topics: list[str] = []
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self, topics: Sequence[str]) -> None:
        """Look once, and then again and again. topics: as for `subscribe`; they may change."""
        self._topics = list(topics)
        if self._thread is None:
            self._try_to_look()
            self._thread = Thread(target=self._run, daemon=True, name="propagation-lanes")
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        due = monotonic() + self._every
        while not self._stop.wait(max(self._every / 2, due - monotonic())):
            due = monotonic() + self._every
            self._try_to_look()

    def _try_to_look(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  # a look that fails must not be the last
            self.view = replace(self.view, present={}, reached={})  # it is not known who is there
            self._warn(self._group, error)

    def _look(self) -> None:
        until = monotonic() + ASK_SECONDS
        view = looked(self.view, self._lanes.roster, self._committed(self._group, until))
        groups = sorted(view.groups()) if self._others else []
        asked = {group: self._members.ask(group) for group in groups}
        reached = {group: found for group in groups if (found := self._committed(group, until)) is not None}
        described = {group: self._answer(group, asked[group], until) for group in groups}
        present = {group: _is_present(one) for group, one in described.items() if one is not None}
        served = [group for group, one in described.items() if one and one.state is ConsumerGroupState.STABLE]
        self.view = replace(view, present=present, served=served, reached=reached)
        self._offsets.keep([self._group, *groups])

    def _committed(self, group: str, until: float) -> dict[Partition, Committed] | None:
        try:
            return self._offsets.of(group, self._topics, _left(until))
        except KafkaException as error:
            self._warn(group, error)
            return None

    def _answer(self, group: str, asked: Future[Any], until: float) -> Any:
        try:
            return asked.result(_left(until))
        except (KafkaException, TimeoutError) as error:
            self._members.failed(error)
            self._warn(group, error)
            return None

    def _warn(self, group: str, error: Exception) -> None:
        text = "group %s cannot be asked (%r); each lane's messages stay with whom they are"
        self._lanes.warnings.warn("broker", text, group, error)


def _is_present(found: Any) -> bool:
    """Whether a group's members are not all stand-ins."""
    return any(not is_stand_in(member.client_id) for member in found.members)


class _Members:
    """Asks who is in a group."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._admin = AdminClient(config)

    def ask(self, group: str) -> Future[Any]:
        """What a group is now, as `describe_consumer_groups` answers."""
        return self._admin.describe_consumer_groups([group], request_timeout=_PENDING_SECONDS)[group]

    def failed(self, error: KafkaException | TimeoutError) -> None:
        """What was asked has failed: begin anew where this is of the client, which keeps to coordinators that were."""
        if isinstance(error, TimeoutError) or error.args[0].code() == KafkaError.NOT_COORDINATOR:
            self._admin = AdminClient(self._config)


class _Offsets:
    """Asks what a group has committed, by a consumer for each group, which never joins it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._consumers: dict[str, Consumer] = {}
        self._partitions: dict[str, list[TopicPartition]] = {}  # by topic
        self._due = 0.0

    def of(self, group: str, topics: list[str], timeout: float) -> dict[Partition, Committed]:
        """What the group has committed for these topics. Raises KafkaException."""
        if group not in self._consumers:
            self._consumers[group] = Consumer({**self._config, "group.id": group, "enable.auto.commit": False})
        consumer = self._consumers[group]
        consumer.poll(0)  # it has no messages, but callbacks, as for a token that is to be renewed
        if monotonic() >= self._due:
            found = dict(_partitions(consumer, topics, timeout))
            # A broker that has just started may know nothing of a topic yet.
            self._partitions |= {topic: partitions for topic, partitions in found.items() if partitions}
            self._due = monotonic() + (_PARTITIONS_SECONDS if all(found.values()) else 0)
        asked = [one for partitions in self._partitions.values() for one in partitions]
        if not asked:
            return {}
        answered = consumer.committed(asked, timeout=timeout)
        for one in answered:
            raise_error_of(one)
        return {(one.topic, one.partition): committed_of(one) for one in answered}

    def keep(self, groups: Iterable[str]) -> None:
        """Other groups than these are not asked for any more."""
        for group in set(self._consumers) - set(groups):
            self._consumers.pop(group).close()


def _partitions(consumer: Consumer, topics: list[str], timeout: float) -> Iterable[tuple[str, list[TopicPartition]]]:
    patterns = [re.compile(one) for one in topics if one.startswith("^")]
    if patterns:
        listed = consumer.list_topics(timeout=timeout).topics
    else:
        listed = {name: consumer.list_topics(name, timeout=timeout).topics[name] for name in topics}
    for name, topic in listed.items():
        if name in topics or any(pattern.match(name) for pattern in patterns):
            yield name, [TopicPartition(name, number) for number in topic.partitions]


def _left(until: float) -> float:
    return max(_SHORTEST_SECONDS, until - monotonic())


def raise_error_of(one: TopicPartition) -> None:
    """Raises KafkaException for what the broker says of this partition alone."""
    if one.error:
        raise KafkaException(one.error)


def committed_of(one: TopicPartition) -> Committed:
    """What a group has committed for a partition."""
    try:
        metadata = one.metadata or ""
    except UnicodeDecodeError:  # other clients do not end it by a zero, and confluent-kafka reads on behind it
        metadata = ""
    return Committed(one.offset if one.offset >= 0 else None, metadata.rstrip("\0"))
