"""aio-pika, messages by lane: a queue per lane.

    lanes = LaneFilter(os.environ.get("LANE"), os.environ["GRAYLANE_CONSUMERS"], consumer="orders")
    async with LaneConsumer(channel, "orders", handle, lanes):
        await asyncio.Future()

    producer = LaneProducer(channel, "orders", LaneFilter(None, os.environ["GRAYLANE_CONSUMERS"], consumer="orders"))
    await producer.publish(aio_pika.Message(b"..."))

Whole programs: docs/messages-by-queue.md.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractMessage, AbstractQueue
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, DeliveryError
from aiormq.abc import AbstractChannel as AiormqChannel
from aiormq.abc import DeliveredMessage

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.rabbitmq import (
    ALIVE_ARGUMENTS,
    REGISTERED,
    TICK_SECONDS,
    alive_queue,
    registered_name,
    registry_queue,
)
from propagation.messaging.lanes.watch import QueueWatch

_SECONDS = 10.0  # for a question


class LaneProducer:
    """Puts messages into the queue of the lane of the work at hand while that lane is there, else into the baseline's.

    channel: with publisher confirms, as aio-pika's are by default, a message for a lane's queue that somebody has
    deleted goes to the baseline's. queue: the baseline's queue. lanes: a LaneFilter of its own, with lane None.
    """

    def __init__(self, channel: AbstractChannel, queue: str, lanes: LaneFilter) -> None:
        self._channel = channel
        self._watch = QueueWatch(lanes, queue)
        self._questions = _Questions(channel, self._watch)

    async def queue_name(self) -> str:
        """The queue for a message that the work at hand sends: the routing key for the default exchange."""
        await self._questions.ask(self._watch.to_ask_before_sending())
        return self._watch.destination()

    async def publish(self, message: AbstractMessage, **options: Any) -> None:
        """Publish to the default exchange; the tag is carried by `propagation.instrument("aio-pika")`.

        options: as an exchange's `publish` takes them. Raises what it raises.
        """
        queue, baseline = await self.queue_name(), self._watch.queue
        exchange = self._channel.default_exchange
        try:
            answer = await exchange.publish(message, queue, **options)
        except DeliveryError:  # with on_return_raises
            if queue == baseline:
                raise
            await exchange.publish(message, baseline, **options)
        else:
            if queue != baseline and isinstance(answer, DeliveredMessage):  # the broker has returned it
                await exchange.publish(message, baseline, **options)


class LaneConsumer:
    """Consumes what its lane handles: a lane's consumer from the lane's queue, the baseline's from the baseline's queue
    and from those of lanes without a live consumer.

    channel: robust (`connect_robust`) or not, with the `set_qos` that is wanted; a prefetch count holds for each queue,
    so that there may be as many calls of `callback` at a time for a queue that was taken over. queue: the baseline's.
    callback: as a queue's `consume` takes it. lanes: a LaneFilter of its own. declare: arguments of `declare_queue`
    for the lane's queue and the baseline's, so that dead letters go the same way. Default: durable. options: for
    `consume`.

    A lane counts as gone when its connections are. Connect its consumers with `?heartbeat=5`, so that this takes no
    longer where a machine vanishes without a word.
    """

    def __init__(
        self,
        channel: AbstractChannel,
        queue: str,
        callback: Callable[[AbstractIncomingMessage], Awaitable[Any]],
        lanes: LaneFilter,
        *,
        declare: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._channel, self._callback, self._options = channel, callback, options
        self._declare = {"durable": True, **(declare or {})}
        self._watch = QueueWatch(lanes, queue)
        self._questions = _Questions(channel, self._watch)
        self._own: list[tuple[AbstractQueue, str]] = []  # with their consumers' tags
        self._taken_over: dict[str, tuple[AbstractQueue, str]] = {}  # by its name
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to consume.

        Raises what aio-pika raises: a queue that is there with other arguments closes the channel.
        """
        name = self._watch.own
        queue = await self._channel.declare_queue(name, **self._declare)
        if name != self._watch.queue:
            await self._questions.register(name)
        self._own = [(queue, await queue.consume(self._callback, **self._options))]
        if name != self._watch.queue:
            alive = await self._channel.declare_queue(alive_queue(name), durable=True, arguments=dict(ALIVE_ARGUMENTS))
            self._own.append((alive, await alive.consume(_ignore, no_ack=True)))
        if self._watch.lanes.is_baseline:
            self._ticking = asyncio.create_task(self._tick())

    async def cancel(self) -> None:
        """Consume no more; messages that the callback has are still to be acknowledged."""
        if self._ticking:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
        for queue, tag in self._own:
            await queue.cancel(tag)
        for name in list(self._taken_over):
            await self._stop(name)

    async def __aenter__(self) -> "LaneConsumer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel()

    async def _tick(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  # a look that fails must not be the last
                self._watch.lanes.warnings.warn("look", "cannot ask the broker which lanes are there: %s", error)
            await asyncio.sleep(TICK_SECONDS)

    async def _look(self) -> None:
        await self._questions.read_register()
        await self._questions.ask(self._watch.to_ask())
        wanted = self._watch.taken_over()
        for name in self._taken_over.keys() - wanted:
            await self._stop(name)
        consumers = await self._consumers()
        for name in wanted:
            # None of these consumers is there after a reconnect. A robust queue's would be, but it keeps its channel
            # from coming back where the queue is gone.
            if self._tag(name) not in consumers and await self._questions.consumers(name) is not None:
                queue = await self._channel.get_queue(name, ensure=False)
                self._taken_over[name] = queue, await queue.consume(self._callback, **self._options)

    def _tag(self, name: str) -> str | None:
        return self._taken_over[name][1] if name in self._taken_over else None

    async def _stop(self, name: str) -> None:
        queue, tag = self._taken_over.pop(name)
        if tag in await self._consumers():
            await queue.cancel(tag)

    async def _consumers(self) -> Mapping[str, object]:
        """By tag, the consumers that this channel has."""
        consumers: Mapping[str, object] = vars(await self._channel.get_underlay_channel())["consumers"]
        return consumers


class _Questions:
    """Asks the broker on channels of their own: the broker closes one at a question about a queue that is not there."""

    def __init__(self, channel: AbstractChannel, watch: QueueWatch) -> None:
        self._channel, self._watch = channel, watch

    async def ask(self, queues: Iterable[str]) -> None:
        """Ask who consumes from these lanes' queues."""
        for queue in queues:
            self._watch.told(queue, bool(await self.consumers(alive_queue(queue))))

    async def consumers(self, queue: str) -> int | None:
        """How many consumers a queue has; None for one that is not there, or that may not be asked for."""
        try:
            async with self._open() as channel:
                return (await channel.queue_declare(queue, passive=True, timeout=_SECONDS)).consumer_count
        except ChannelNotFoundEntity:
            return None
        except (ChannelClosed, ValueError) as error:  # the latter: pamqp takes fewer names than brokers do
            self._watch.lanes.warnings.warn(f"ask {queue}", "cannot ask for the consumers of %s: %s", queue, error)
            return None

    async def register(self, queue: str) -> None:
        """Note the lane's queue in the register, for the baseline's consumers."""
        registry = registry_queue(self._watch.queue)
        async with self._open(confirms=True) as channel:
            await channel.queue_declare(registry, durable=True, timeout=_SECONDS)
            await channel.basic_publish(
                queue.encode(),
                routing_key=registry,
                properties=Message(b"", delivery_mode=DeliveryMode.PERSISTENT).properties,
                mandatory=True,
                timeout=_SECONDS,
            )

    async def read_register(self) -> None:
        """Read which lanes' queues there are, and take out of the register what is there twice or no more."""
        if not self._watch.is_register_due():
            return
        found: set[str] = set()
        gone: set[str] = set()
        registry = registry_queue(self._watch.queue)
        async with self._open() as channel:  # what is not acknowledged goes back at its end
            await channel.queue_declare(registry, durable=True, timeout=_SECONDS)
            for _ in range(REGISTERED):
                message = await channel.basic_get(registry, timeout=_SECONDS)
                if message.delivery_tag is None:
                    break
                queue = registered_name(message.body, self._watch.lanes.warnings)
                there = queue is not None and await self.consumers(queue) is not None
                if not there or queue in found:
                    await channel.basic_ack(message.delivery_tag)
                if queue is not None:
                    (found if there else gone).add(queue)
        self._watch.registered = (self._watch.registered | found) - gone

    @asynccontextmanager
    async def _open(self, confirms: bool = False) -> AsyncIterator[AiormqChannel]:
        connection = (await self._channel.get_underlay_channel()).connection
        channel = await connection.channel(publisher_confirms=confirms, timeout=_SECONDS)
        try:
            yield channel
        finally:
            if not channel.is_closed:
                await channel.close()


async def _ignore(_: object) -> None:
    """Nobody sends to a queue of the living."""
