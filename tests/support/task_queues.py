"""One adapter for each task queue, which runs functions. queue_adapter.py says what an adapter is."""

import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import AsyncMock, patch

import arq
import dramatiq
import fakeredis
import huey
import queue_jobs
import rq
import taskiq
from arq.connections import RedisSettings
from arq.worker import Worker as ArqWorker
from dramatiq.brokers.stub import StubBroker
from queue_adapter import ALL, Adapter, OnALoop


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


# By the name that `instrument` takes.
TASK_QUEUES = {
    "huey": Huey(),
    "huey later": HueyLater(),
    "dramatiq": Dramatiq(),
    "taskiq": Taskiq(),
    "rq": Rq(),
    "arq": Arq(),
}
