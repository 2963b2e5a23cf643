"""pika, messages by lane: a queue per lane, by a BlockingConnection.

    lanes = LaneFilter(os.environ.get("LANE"), os.environ["GRAYLANE_CONSUMERS"], consumer="orders")
    LaneConsumer(channel, "orders", handle, lanes).start()
    channel.start_consuming()

    producer = LaneProducer(channel, "orders", LaneFilter(None, os.environ["GRAYLANE_CONSUMERS"], consumer="orders"))
    producer.publish(b"...", properties)

Whole programs: docs/messages-by-queue.md.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.rabbitmq import (
    ALIVE_ARGUMENTS,
    NOT_FOUND,
    PERSISTENT,
    REGISTERED,
    TICK_SECONDS,
    alive_queue,
    registered_name,
    registry_queue,
)
from propagation.messaging.lanes.watch import QueueWatch


class LaneProducer:
    """Puts messages into the queue of the lane of the work at hand while that lane is there, else into the baseline's.

    channel: a BlockingChannel; with `confirm_delivery()`, a message for a lane's queue that somebody has deleted goes
    to the baseline's. queue: the baseline's queue. lanes: a LaneFilter of its own, with lane None.
    """

    def __init__(self, channel: BlockingChannel, queue: str, lanes: LaneFilter) -> None:
        self._channel = channel
        self._watch = QueueWatch(lanes, queue)
        self._questions = _Questions(channel.connection, self._watch)

    def queue_name(self) -> str:
        """The queue for a message that the work at hand sends: the routing key for the default exchange."""
        self._questions.ask(self._watch.to_ask_before_sending())
        return self._watch.destination()

    def publish(self, body: bytes, properties: BasicProperties | None = None, **options: Any) -> None:
        """Publish to the default exchange; the tag is carried by `propagation.instrument("pika")`.

        options: as BlockingChannel's `basic_publish` takes them. Raises what it raises.
        """
        queue, baseline = self.queue_name(), self._watch.queue
        try:
            self._channel.basic_publish("", queue, body, properties, **{"mandatory": queue != baseline, **options})
        except UnroutableError:
            if queue == baseline:
                raise
            self._channel.basic_publish("", baseline, body, properties, **options)


class LaneConsumer:
    """Consumes what its lane handles: a lane's consumer from the lane's queue, the baseline's from the baseline's queue
    and from those of lanes without a live consumer.

    channel: a BlockingChannel, with the `basic_qos` that is wanted; a prefetch count holds for each queue.
    queue: the baseline's queue, which the program declares as ever. on_message_callback: as `basic_consume` takes it.
    lanes: a LaneFilter of its own; kept over reconnects, it knows who was there before. declare: arguments of
    `queue_declare` for the lane's queue; those of the baseline's queue, so that dead letters go the same way. Default:
    durable. options: for `basic_consume`.

    A lane counts as gone when its connections are. Give `heartbeat=5` in the ConnectionParameters of its consumers, so
    that this takes no longer where a machine vanishes without a word.
    """

    def __init__(
        self,
        channel: BlockingChannel,
        queue: str,
        on_message_callback: Callable[[Any, Any, BasicProperties, bytes], object],
        lanes: LaneFilter,
        *,
        declare: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._channel, self._callback, self._options = channel, on_message_callback, options
        self._declare = {"durable": True, **(declare or {})}
        self._watch = QueueWatch(lanes, queue)
        self._questions = _Questions(channel.connection, self._watch)
        self._tags: dict[str, str] = {}  # by queue, of each consumer that there is now
        self._timer: object = None

    def start(self) -> None:
        """Begin to consume; then call `channel.start_consuming()` or have the connection process its events.

        Raises what pika raises: a lane's queue that is there with other arguments closes the channel.
        """
        queue = self._watch.own
        if queue != self._watch.queue:
            self._channel.queue_declare(queue, **self._declare)
            self._questions.register(queue)
        self._consume(queue)
        if queue != self._watch.queue:
            self._channel.queue_declare(alive_queue(queue), durable=True, arguments=dict(ALIVE_ARGUMENTS))
            self._tags[alive_queue(queue)] = self._channel.basic_consume(alive_queue(queue), _ignore, auto_ack=True)
        if self._watch.lanes.is_baseline:
            self._tick()

    def cancel(self) -> None:
        """Consume no more; messages that the callback has are still to be acknowledged."""
        if self._timer is not None:
            self._channel.connection.remove_timeout(self._timer)
        for queue in list(self._tags):
            self._stop(queue)

    def _tick(self) -> None:
        if self._channel.is_closed:
            return
        self._timer = self._channel.connection.call_later(TICK_SECONDS, self._tick)
        self._questions.read_register()
        self._questions.ask(self._watch.to_ask())
        wanted = self._watch.taken_over()
        for queue in self._tags.keys() - wanted - {self._watch.queue}:
            self._stop(queue)
        for queue in wanted:
            # Not on the channel of the program, which the broker would close for a queue that is not there.
            if not self._is_consuming(queue) and self._questions.consumers(queue) is not None:
                self._consume(queue)

    def _is_consuming(self, queue: str) -> bool:
        return self._tags.get(queue) in self._channel.consumer_tags  # the broker cancels for a queue that is deleted

    def _consume(self, queue: str) -> None:
        self._tags[queue] = self._channel.basic_consume(queue, self._callback, **self._options)

    def _stop(self, queue: str) -> None:
        if (tag := self._tags.pop(queue, None)) is not None:
            self._channel.basic_cancel(tag)


class _Questions:
    """Asks the broker on a channel of its own: the broker closes it at a question about a queue that is not there."""

    def __init__(self, connection: BlockingConnection, watch: QueueWatch) -> None:
        self._connection, self._watch = connection, watch
        self._channel: BlockingChannel | None = None

    def ask(self, queues: Iterable[str]) -> None:
        """Ask who consumes from these lanes' queues."""
        for queue in queues:
            self._watch.told(queue, bool(self.consumers(alive_queue(queue))))

    def consumers(self, queue: str) -> int | None:
        """How many consumers a queue has; None for one that is not there, or that may not be asked for."""
        if self._channel is None or self._channel.is_closed:
            self._channel = self._connection.channel()
        try:
            found: int = self._channel.queue_declare(queue, passive=True).method.consumer_count
        except ChannelClosedByBroker as error:
            if error.reply_code != NOT_FOUND:
                self._watch.lanes.warnings.warn(f"ask {queue}", "cannot ask for the consumers of %s: %s", queue, error)
            return None
        return found

    def register(self, queue: str) -> None:
        """Note the lane's queue in the register, for the baseline's consumers."""
        channel = self._connection.channel()
        channel.confirm_delivery()
        registry = registry_queue(self._watch.queue)
        channel.queue_declare(registry, durable=True)
        channel.basic_publish("", registry, queue.encode(), BasicProperties(delivery_mode=PERSISTENT), mandatory=True)
        channel.close()

    def read_register(self) -> None:
        """Read which lanes' queues there are, and take out of the register what is there twice or no more."""
        if not self._watch.is_register_due():
            return
        channel = self._connection.channel()
        found: set[str] = set()
        gone: set[str] = set()
        registry = registry_queue(self._watch.queue)
        channel.queue_declare(registry, durable=True)
        for _ in range(REGISTERED):
            method, _, body = channel.basic_get(registry)
            if method is None:
                break
            queue = registered_name(body, self._watch.lanes.warnings)
            there = queue is not None and self.consumers(queue) is not None
            if not there or queue in found:
                channel.basic_ack(method.delivery_tag)
            if queue is not None:
                (found if there else gone).add(queue)
        channel.close()  # all others go back to the register
        self._watch.registered = (self._watch.registered | found) - gone


def _ignore(*_: object) -> None:
    """Nobody sends to a queue of the living."""
