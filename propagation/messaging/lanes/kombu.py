"""Asks RabbitMQ, by kombu, who consumes from the lanes' queues: for Celery's producers and workers."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from amqp.exceptions import ConnectionError as LostConnection
from kombu.connection import Connection
from kombu.exceptions import KombuError

from propagation.messaging.lanes.rabbitmq import PERSISTENT, REGISTERED, alive_queue, registered_name, registry_queue
from propagation.messaging.lanes.watch import QueueWatch

AWAY = (AMQPError, KombuError, OSError)  # what a broker that is away raises
_SECONDS = 4.0  # for an answer
_LIMITS = {"read_timeout": _SECONDS, "write_timeout": _SECONDS}


class Questions:
    """Asks on a connection of its own: a worker's is busy, and several threads may send tasks.

    connect: makes a Connection of kombu. A process that was forked makes its own.
    """

    def __init__(self, connect: Callable[..., Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._renew()

    def ask(self, watch: QueueWatch, queues: Iterable[str]) -> None:
        """Ask who consumes from these lanes' queues. Of a broker that does not answer, a warning is logged."""
        for queue in queues:
            try:
                watch.told(queue, bool(self._consumers(alive_queue(queue))))
            except AWAY as error:
                watch.lanes.warnings.warn("ask", "cannot ask for the consumers of %s: %s", queue, error)

    def is_there(self, queue: str) -> bool:
        """Whether the queue exists, as far as the broker tells."""
        with suppress(*AWAY):
            return self._consumers(queue) is not None
        return False

    def register(self, watch: QueueWatch) -> None:
        """Note the queue of this worker's lane in the register, for the baseline's workers.

        Raises what kombu raises.
        """
        registry = registry_queue(watch.queue)
        with self._channel() as channel:
            channel.confirm_select()
            channel.queue_declare(registry, durable=True, auto_delete=False)
            message = channel.prepare_message(watch.own.encode(), properties={"delivery_mode": PERSISTENT})
            channel.basic_publish_confirm(message, routing_key=registry, mandatory=True)

    def read_register(self, watch: QueueWatch) -> None:
        """Read which lanes' queues there are, and take out of the register what is there twice or no more."""
        if not watch.is_register_due():
            return
        try:
            watch.registered = self._read(watch)
        except AWAY as error:
            watch.lanes.warnings.warn("register", "cannot read which lanes there were: %s", error)

    def _read(self, watch: QueueWatch) -> frozenset[str]:
        found: set[str] = set()
        gone: set[str] = set()
        registry = registry_queue(watch.queue)
        with self._channel() as channel:  # what is not acknowledged goes back at its end
            channel.queue_declare(registry, durable=True, auto_delete=False)
            for _ in range(REGISTERED):
                if (message := channel.basic_get(registry)) is None:
                    break
                queue = registered_name(message.body, watch.lanes.warnings)
                there = queue is not None and self._consumers(queue) is not None
                if not there or queue in found:
                    channel.basic_ack(message.delivery_tag)
                if queue is not None:
                    (found if there else gone).add(queue)
        return (watch.registered | found) - gone

    def _consumers(self, queue: str) -> int | None:
        """How many consumers a queue has; None for one that is not there."""
        try:
            with self._channel() as channel:
                found: int = channel.queue_declare(queue, passive=True).consumer_count
                return found
        except NotFound:
            return None

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A channel of its own: the broker closes one at a question about a queue that is not there."""
        if self._process != os.getpid():
            self._renew()
        with self._lock:
            if self._connection is None:
                self._connection = self._connect(connect_timeout=_SECONDS, transport_options=_LIMITS)
            connection, channel = self._connection, None
            try:
                channel = connection.channel()
                yield channel
            except (LostConnection, KombuError, OSError):
                self._connection = None
                connection.collect()
                raise
            finally:
                if channel is not None and channel.is_open:
                    with suppress(*AWAY):
                        channel.close()

    def _renew(self) -> None:
        """Without what belongs to the process that this one was forked from: its socket, and who held its lock."""
        self._process, self._lock = os.getpid(), RLock()
        self._connection = None
