"""One adapter for each queue: how it sends a job and works it off, given what the suite in tests/conformance asks.

An adapter is entered for the time of a test. `send(kind)` enqueues the job of queue_jobs that is called so, in the
current context: "note"; "flaky", which is tried again; "failing", which is not; "sending", which sends a "note".
`drain()` has a worker do all that is queued; `left` is what its context held after that. kinds: those jobs that it has.
at_once: whether a job runs when it is sent, without a worker.
"""

import asyncio
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from typing import Any
from unittest.mock import AsyncMock, patch

import aio_pika
import arq
import dramatiq
import fakeredis
import huey
import kombu
import nats
import pika
import queue_jobs
import rq
import taskiq
from amqp_server import amqp_server
from arq.connections import RedisSettings
from arq.worker import Worker as ArqWorker
from dramatiq.brokers.stub import StubBroker
from faststream.kafka import KafkaBroker, TestKafkaBroker
from faststream.nats import NatsBroker, TestNatsBroker
from faststream.rabbit import RabbitBroker, TestRabbitBroker
from nats_server import nats_server

ALL = ("note", "flaky", "failing", "sending")


def in_a_thread(work):
    """Run `work` in a thread of its own, which has an empty context; gives what is left in it."""
    left = []

    def run():
        work()
        left.append(queue_jobs.left())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return left[0]


class Adapter:
    """What most need: things to close, and a worker in a thread."""

    kinds: Sequence[str] = ALL
    at_once = False
    start: Any
    work: Any

    def __enter__(self):
        queue_jobs.SEEN.clear()
        self.stack = ExitStack()
        self.start()
        return self

    def __exit__(self, *error):
        self.stack.close()

    def drain(self):
        self.left = in_a_thread(self.work)


class Huey(Adapter):
    def start(self):
        self.queue = huey.MemoryHuey()
        self.tasks = {
            "note": self.queue.task()(queue_jobs.note),
            "flaky": self.queue.task(retries=1)(queue_jobs.flaky),
            "failing": self.queue.task()(queue_jobs.failing),
            "sending": self.queue.task(name="sending")(lambda: self.send("note") and None),
        }

    def send(self, kind):
        return self.tasks[kind]()

    def work(self):
        while task := self.queue.dequeue():
            self.queue.execute(task)


class HueyLater(Huey):
    """Tried again after a while, by way of huey's schedule."""

    kinds = ("flaky",)

    def start(self):
        super().start()
        self.tasks = {"flaky": self.queue.task(retries=1, retry_delay=1, name="later")(queue_jobs.flaky)}

    def work(self):
        super().work()
        for task in self.queue.read_schedule(self.queue._get_timestamp().replace(year=3000)):
            task.eta = None
            self.queue.enqueue(task)
        super().work()


class Dramatiq(Adapter):
    def start(self):
        self.broker = StubBroker()
        self.broker.emit_after("process_boot")
        make: Any = {"broker": self.broker}
        actor: Any = dramatiq.actor
        self.actors = {
            "note": actor(queue_jobs.note, **make),
            "flaky": actor(queue_jobs.flaky, max_retries=1, min_backoff=1, max_backoff=1, **make),
            "failing": actor(queue_jobs.failing, max_retries=0, **make),
            "sending": actor(self.sending, actor_name="sending", **make),
        }

    def sending(self):
        self.send("note")

    def send(self, kind):
        self.actors[kind].send()

    def drain(self):
        left = []

        class Look(dramatiq.Middleware):
            def after_ack(self, broker, message):
                left.append(queue_jobs.left())

        self.broker.add_middleware(Look())
        worker = dramatiq.Worker(self.broker, worker_timeout=10, worker_threads=1)
        worker.start()
        try:
            self.broker.join("default", timeout=10_000, fail_fast=False)
            worker.join()
        finally:
            worker.stop()
        self.left = next((one for one in left if one), {})


class OnALoop(Adapter):
    """For asyncio's: one loop, where each step runs in a copy of the context of its caller."""

    sent: Any

    def __enter__(self):
        queue_jobs.SEEN.clear()
        self.runner = asyncio.Runner()
        self.run(self.start())
        return self

    def __exit__(self, *error):
        self.run(self.stop())
        self.runner.close()

    def run(self, coroutine):
        return self.runner.run(coroutine, context=copy_context())

    async def stop(self):
        pass

    def send(self, kind):
        self.run(self.sent(kind))

    def drain(self):
        async def work():
            await self.work()
            return queue_jobs.left()

        self.left = self.run(work())


class Taskiq(OnALoop):
    """As a real broker's: messages wait as bytes, and a receiver's loop, which began before, takes them."""

    async def start(self):
        self.waiting = []
        self.broker: Any = taskiq.InMemoryBroker()
        vars(self.broker)["kick"] = self.kick
        self.broker.add_middlewares(taskiq.SimpleRetryMiddleware(default_retry_count=1))

        async def note():
            queue_jobs.note()

        async def sending():
            await self.sent("note")

        self.tasks = {
            "note": self.broker.task(task_name="note")(note),
            "flaky": self.broker.task(task_name="flaky", retry_on_error=True, max_retries=2)(queue_jobs.flaky),
            "failing": self.broker.task(task_name="failing")(queue_jobs.failing),
            "sending": self.broker.task(task_name="sending")(sending),
        }

    async def kick(self, message):
        self.waiting.append(message.message)

    async def sent(self, kind):
        await self.tasks[kind].kiq()

    async def work(self):
        while self.waiting:
            await self.broker.receiver.callback(self.waiting.pop(0))

    async def stop(self):
        await self.broker.shutdown()


@contextmanager
def redis_server():
    """The port of a Redis on loopback."""
    with fakeredis.TcpFakeServer(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class Rq(Adapter):
    def start(self):
        self.redis = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer())
        self.queue = rq.Queue(connection=self.redis)
        sending.append(self)
        self.stack.callback(sending.clear)

    def send(self, kind):
        retry = rq.Retry(max=1) if kind == "flaky" else None
        function = send_a_note if kind == "sending" else getattr(queue_jobs, kind)
        self.queue.enqueue(function, retry=retry)

    def drain(self):
        work_off(self.queue)
        self.left = queue_jobs.left()


def work_off(queue):
    """Have a worker of rq do all that is queued; it takes over the process's signals, and leaves them so."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        rq.SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="CRITICAL")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


sending = []


def send_a_note():
    """For rq, whose workers import what they run."""
    sending[0].send("note")


class Arq(OnALoop):
    kinds = ALL

    async def start(self):
        self.stack = ExitStack()
        settings = RedisSettings(port=self.stack.enter_context(redis_server()))
        self.stack.enter_context(patch("arq.worker.log_redis_info", AsyncMock()))  # by a command that fakeredis lacks
        self.pool = await arq.create_pool(settings)

        async def note(ctx):
            queue_jobs.note()

        async def flaky(ctx):
            try:
                queue_jobs.flaky()
            except ValueError:
                raise arq.Retry from None

        async def failing(ctx):
            queue_jobs.failing()

        async def sending(ctx):
            await self.sent("note")

        self.functions = [arq.func(one, name=one.__name__) for one in (note, flaky, failing, sending)]

    async def sent(self, kind):
        await self.pool.enqueue_job(kind)

    async def work(self):
        worker = ArqWorker(
            self.functions, redis_pool=self.pool, burst=True, poll_delay=0.01, handle_signals=False, max_jobs=1
        )
        await worker.async_run()

    async def stop(self):
        await self.pool.aclose()
        self.stack.close()


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
ADAPTERS = {
    "huey": Huey(),
    "huey later": HueyLater(),
    "dramatiq": Dramatiq(),
    "taskiq": Taskiq(),
    "rq": Rq(),
    "arq": Arq(),
    "kombu": Kombu(),
    "pika": Pika(),
    "aio_pika": AioPika(),
    "aio_pika iterator": AioPikaIterator(),
    "nats": Nats(),
    "faststream nats": Faststream(NatsBroker, TestNatsBroker),
    "faststream kafka": Faststream(KafkaBroker, TestKafkaBroker),
    "faststream rabbit": Faststream(RabbitBroker, TestRabbitBroker),
}
