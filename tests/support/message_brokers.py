"""One adapter for each client of a message broker. queue_adapter.py says what an adapter is."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress

import aio_pika
import kombu
import nats
import pika
import queue_jobs
from amqp_server import amqp_server
from faststream.kafka import KafkaBroker, TestKafkaBroker
from faststream.nats import NatsBroker, TestNatsBroker
from faststream.rabbit import RabbitBroker, TestRabbitBroker
from nats_server import nats_server
from queue_adapter import Adapter, OnALoop


class Kombu(Adapter):
    kinds = ("note", "flaky", "sending")

    def start(self):
        self.connection = self.stack.enter_context(kombu.Connection("memory://"))
        self.queue = kombu.Queue(f"queue-{id(self)}")
        self.channel = self.connection.channel()
        self.producer = self.connection.Producer(self.channel)

    def send(self, kind):
        self.producer.publish(kind, routing_key=self.queue.name, declare=[self.queue])

    def take(self, kind, message):
        if kind == "sending":
            self.send("note")
        else:
            queue_jobs.note()
        if kind == "flaky" and len(queue_jobs.SEEN) % 2:
            message.requeue()
        else:
            message.ack()

    def drain(self):
        with self.connection.Consumer([self.queue], callbacks=[self.take], channel=self.channel):
            try:
                while True:
                    self.connection.drain_events(timeout=0.05)
            except TimeoutError:
                pass
        self.left = queue_jobs.left()


class Pika(Adapter):
    kinds = ("note", "flaky", "sending")

    def start(self):
        port = self.stack.enter_context(amqp_server())
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
        self.stack.callback(connection.close)
        self.connection, self.channel = connection, connection.channel()
        self.channel.queue_declare("jobs")
        self.consuming = False

    def send(self, kind):
        self.channel.basic_publish("", "jobs", kind.encode())

    def take(self, channel, method, properties, body):
        if body == b"sending":
            self.send("note")
        else:
            queue_jobs.note()
        if body == b"flaky" and len(queue_jobs.SEEN) % 2:
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)

    def drain(self):
        if not self.consuming:
            self.channel.basic_consume("jobs", self.take)
            self.consuming = True
        before = -1
        while before != len(queue_jobs.SEEN):
            before = len(queue_jobs.SEEN)
            self.connection.process_data_events(0.05)
            self.connection.process_data_events(0.05)
        self.left = queue_jobs.left()


class AioPika(OnALoop):
    """By a consumer's callback."""

    kinds: Sequence[str] = ("note", "flaky", "sending")

    async def start(self):
        self.stack = ExitStack()
        port = self.stack.enter_context(amqp_server())
        self.connection = await aio_pika.connect_robust(host="127.0.0.1", port=port)
        channel = await self.connection.channel()
        await channel.set_qos(prefetch_count=1)
        self.queue = await channel.declare_queue("jobs")
        self.exchange = channel.default_exchange

    async def sent(self, kind):
        await self.exchange.publish(aio_pika.Message(kind.encode()), routing_key="jobs")

    async def take(self, message):
        if message.body == b"sending":
            await self.sent("note")
        else:
            queue_jobs.note()
        if message.body == b"flaky" and len(queue_jobs.SEEN) % 2:
            await message.nack(requeue=True)
        else:
            await message.ack()

    async def work(self):
        tag = await self.queue.consume(self.take)
        before = -1
        while before != len(queue_jobs.SEEN):
            before = len(queue_jobs.SEEN)
            await asyncio.sleep(0.1)
        await self.queue.cancel(tag)

    async def stop(self):
        await self.connection.close()
        self.stack.close()


class AioPikaIterator(AioPika):
    """By a queue's iterator and `process()`."""

    kinds = ("note", "sending")

    async def work(self):
        async with self.queue.iterator(timeout=0.2) as messages:
            try:
                async for message in messages:
                    async with message.process():
                        if message.body == b"sending":
                            await self.sent("note")
                        else:
                            queue_jobs.note()
            except TimeoutError:
                pass


class Nats(OnALoop):
    kinds = ("note", "sending")
    at_once = True

    async def start(self):
        self.server = nats_server()
        port = await self.server.__aenter__()
        self.client = await nats.connect(f"nats://127.0.0.1:{port}")
        await self.client.subscribe("jobs", cb=self.take)
        self.running = 0

    async def sent(self, kind):
        await self.client.publish("jobs", kind.encode())
        await self.client.flush()

    async def take(self, message):
        if message.data == b"sending":
            await self.sent("note")
        else:
            queue_jobs.note()

    async def work(self):
        for _ in range(3):
            await self.client.flush()
            await asyncio.sleep(0.01)

    async def stop(self):
        await self.client.close()
        await self.server.__aexit__(None, None, None)


class Faststream(OnALoop):
    """In memory, by FastStream's own stand-in for its broker: the subscriber runs while the message is published."""

    kinds = ("note", "failing", "sending")
    at_once = True

    def __init__(self, broker, stand_in):
        self.kind_of_broker, self.stand_in = broker, stand_in

    async def start(self):
        self.broker = self.kind_of_broker()

        @self.broker.subscriber("jobs")
        async def take(kind: str):
            if kind == "sending":
                await self.sent("note")
            else:
                getattr(queue_jobs, kind)()

        self.entered = self.stand_in(self.broker)
        await self.entered.__aenter__()

    async def sent(self, kind):
        with suppress(ValueError):
            await self.broker.publish(kind, "jobs")

    async def work(self):
        pass

    async def stop(self):
        await self.entered.__aexit__(None, None, None)


# By the name that `instrument` takes.
MESSAGE_BROKERS = {
    "kombu": Kombu(),
    "pika": Pika(),
    "aio_pika": AioPika(),
    "aio_pika iterator": AioPikaIterator(),
    "nats": Nats(),
    "faststream nats": Faststream(NatsBroker, TestNatsBroker),
    "faststream kafka": Faststream(KafkaBroker, TestKafkaBroker),
    "faststream rabbit": Faststream(RabbitBroker, TestRabbitBroker),
}
