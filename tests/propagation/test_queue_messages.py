"""What single queues need beyond the common suite: what is on the wire, and what is the program's own."""

import asyncio
import datetime
import json
import logging
import pickle
import threading
from typing import Any

import aio_pika
import arq
import arq.jobs
import dramatiq
import fakeredis
import huey
import kombu
import nats
import pika
import pytest
import queue_jobs
import rq
import taskiq
from amqp_server import amqp_server
from arq.connections import RedisSettings
from dramatiq.brokers.stub import StubBroker
from faststream.nats import NatsBroker, TestNatsBroker
from nats_server import nats_server
from opentelemetry.context import Context
from task_queues import redis_server, work_off

from propagation import extract, get, inject, instrument, uninstrument, use
from propagation.messaging import consumed
from propagation.messaging.faststream import PropagationMiddleware

TAGGED = {"env": "gray.next", "baggage": "env=gray.next,user=alice;ttl=5"}


@pytest.fixture(autouse=True)
def _taken_back():
    queue_jobs.SEEN.clear()
    yield
    uninstrument()


def arrived():
    """Inside a request that came with a tag and a foreign member of baggage."""
    return use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"}, context=Context()))


class Message:
    def __init__(self, headers):
        self.headers = headers


@pytest.mark.parametrize(
    ("headers", "lane"),
    [
        ({"env": "gray"}, "gray"),
        ({"Env": b"gray", "x": 3}, "gray"),
        ([("env", b"gray")], "gray"),
        ((("baggage", "a=1,env=gray"),), "gray"),
        ({"env": 3}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_message_is_read_whatever_holds_its_headers(headers, lane):
    for message in (headers, Message(headers), Message(lambda: headers)):
        with use(env="prod"), consumed(message):
            assert get("env") == lane


# AMQP: kombu, pika, aio-pika


def kombu_messages(*own):
    """What a queue of kombu's has, each message published with these headers."""
    with kombu.Connection("memory://") as connection, connection.SimpleQueue(f"q-{id(own)}") as queue:
        for headers in own:
            queue.put("hello", headers=headers)
        got = [queue.get(timeout=1) for _ in own]
        for one in got:
            one.ack()
        return got


def test_kombu_writes_headers_beside_the_programs_own():
    instrument("kombu")
    own = {"env": "prod", "x": 3}
    with arrived():
        plain, with_own = kombu_messages(None, own)
    assert plain.headers == TAGGED
    assert with_own.headers == {"env": "prod", "x": 3, "baggage": "env=prod,user=alice;ttl=5"}
    assert own == {"env": "prod", "x": 3}
    with consumed(plain):  # the recipe for what a program fetches
        assert get("env") == "gray"


@pytest.fixture
def channel():
    with amqp_server() as port:
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
        channel = connection.channel()
        channel.queue_declare("q")
        yield channel
        connection.close()


@pytest.mark.parametrize("confirmed", [False, True])
def test_pika_writes_headers_and_leaves_the_programs_properties(channel, confirmed):
    if confirmed:
        channel.confirm_delivery()
    instrument("pika")
    own = pika.BasicProperties(content_type="text/plain", headers={"x": 3})
    with arrived():
        channel.basic_publish("", "q", b"1")
        channel.basic_publish("", "q", b"2", properties=own)
    channel.basic_publish("", "q", b"3")
    got = [channel.basic_get("q", auto_ack=True) for _ in range(3)]
    assert [properties.headers for _, properties, _ in got] == [TAGGED, TAGGED | {"x": 3}, None]
    assert [properties.content_type for _, properties, _ in got] == [None, "text/plain", None]
    assert own.headers == {"x": 3}
    lanes = []
    for _, properties, _ in got:
        with consumed(properties):  # the recipe for what a program fetches
            lanes.append(get("env"))
    assert lanes == ["gray", "gray", None]


def test_pika_runs_a_callback_that_fails_and_leaves_nothing(channel):
    instrument("pika")
    with use(env="gray"):
        channel.basic_publish("", "q", b"1")

    def take(channel, method, properties, body):
        channel.basic_ack(method.delivery_tag)
        raise ValueError(get("env"))

    channel.basic_consume("q", take)
    with pytest.raises(ValueError, match="gray"):
        channel.connection.process_data_events(1)
    assert get("env") is None


def test_aio_pika_writes_headers_and_leaves_the_programs_message():
    instrument("aio_pika")

    async def main(port):
        connection = await aio_pika.connect(host="127.0.0.1", port=port)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            message = aio_pika.Message(b"hello", headers={"x": 3}, content_type="text/plain")
            with arrived():
                await channel.default_exchange.publish(message, "q")
            await channel.default_exchange.publish(message, routing_key="q")
            assert message.headers == {"x": 3}
            tagged, plain = await queue.get(), await queue.get()
            assert (tagged.headers, tagged.content_type) == (TAGGED | {"x": 3}, "text/plain")
            assert plain.headers == {"x": 3}
            with pytest.raises(ValueError, match="gray"):
                async with tagged.process():
                    raise ValueError(get("env"))
            assert get("env") is None
            with use(env="prod"):
                async with plain.process():
                    assert get("env") is None
                assert get("env") == "prod"

    with amqp_server() as port:
        asyncio.run(main(port))


# NATS


def test_nats_writes_headers_and_reads_those_of_requests():
    instrument("nats")
    own = {"env": "prod", "x": "3"}

    async def main():
        async with nats_server() as port:
            client = await nats.connect(f"nats://127.0.0.1:{port}")

            async def answer(message):
                await message.respond(str(get("env")).encode())

            await client.subscribe("ask", cb=answer)
            inbox = await client.subscribe("inbox")
            with arrived():
                await client.publish("inbox", b"1")
                await client.publish("inbox", b"2", headers=own)
                assert (await client.request("ask", b"?")).data == b"gray"
            await client.publish("inbox", b"3")
            assert (await client.request("ask", b"?")).data == b"None"
            got = [await inbox.next_msg() for _ in range(3)]
            assert got[0].headers == TAGGED
            assert got[1].headers == own | {"baggage": "env=prod,user=alice;ttl=5"}
            assert got[2].headers is None
            with consumed(got[1]):  # the recipe for what a program fetches
                assert get("env") == "prod"
            await client.close()

    asyncio.run(main())
    assert own == {"env": "prod", "x": "3"}


def test_nats_leaves_the_servers_own_subjects_alone():
    instrument("nats")

    async def main():
        async with nats_server() as port:
            client = await nats.connect(f"nats://127.0.0.1:{port}")
            api = await client.subscribe("$JS.API.>")
            with use(env="gray"):
                await client.publish("$JS.API.INFO", b"")
            assert (await api.next_msg()).headers is None
            await client.close()

    asyncio.run(main())


# Task queues


def test_rq_keeps_a_meta_that_was_given_and_runs_callbacks_with_the_tag():
    instrument("rq")
    redis = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer())
    queue = rq.Queue(connection=redis)
    meta = {"own": 1}
    with arrived():
        first = queue.enqueue(queue_jobs.note, meta=meta, on_success=rq.Callback(noted))
    second = queue.enqueue(queue_jobs.note, meta=meta)
    assert first.meta == {"own": 1, "propagation": TAGGED}
    assert second.meta == meta == {"own": 1}
    with use(env="prod"):
        queue.enqueue_job(rq.job.Job.create(queue_jobs.note, connection=redis))
    work_off(queue)
    assert queue_jobs.SEEN == ["gray", "gray", None, "prod"]


def noted(job, connection, result):
    queue_jobs.note()


def test_rq_in_place():
    instrument("rq")
    queue = rq.Queue(connection=fakeredis.FakeStrictRedis(server=fakeredis.FakeServer()), is_async=False)
    with use(env="gray"):
        queue.enqueue(queue_jobs.note)
        assert get("env") == "gray"
    assert queue_jobs.SEEN == ["gray"]


def test_dramatiq_carries_pipelines_callbacks_and_async_actors():
    instrument("dramatiq")
    broker = StubBroker()
    broker.add_middleware(dramatiq.middleware.AsyncIO())
    broker.emit_after("process_boot")

    @dramatiq.actor(broker=broker)
    def first():
        queue_jobs.note()
        return "x"

    @dramatiq.actor(broker=broker)
    async def second(value):
        await asyncio.sleep(0)
        queue_jobs.note()

    @dramatiq.actor(broker=broker)
    def called_back(message, result):
        queue_jobs.note()

    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    with arrived():
        dramatiq.pipeline([first.message(), second.message()], broker=broker).run()
        message = first.message_with_options(on_success=called_back)
        broker.enqueue(message)
    first.send()
    broker.join("default", timeout=10_000)
    worker.join()
    worker.stop()
    assert message.options["propagation"] == TAGGED
    assert sorted(map(str, queue_jobs.SEEN)) == ["None"] + ["gray"] * 4


def run_all(queue):
    def work():
        while task := queue.dequeue():
            queue.execute(task)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_huey_gives_a_task_its_own_arguments_and_what_follows_it_the_tag():
    instrument("huey")
    queue = huey.MemoryHuey()
    given: list[Any] = []

    @queue.task()
    def first(*args, **kwargs):
        given.append((args, kwargs, get("env")))
        return 2

    @queue.task()
    def then(value, more=None):
        given.append((value, more, get("env")))
        raise ValueError("on purpose")

    @queue.task()
    def failed(error):
        given.append(get("env"))

    with use(env="gray"):
        queue.enqueue(first.s(1, a=1).then(then, more=3).error(failed))
        huey.api.group  # noqa: B018  # of huey 3; older ones have none
        queue.enqueue(huey.group([first.s(4), first.s(5)]))
    run_all(queue)
    assert given[0] == ((1,), {"a": 1}, "gray")
    assert given[1:3] == [((4,), {}, "gray"), ((5,), {}, "gray")]
    assert given[3] == (2, 3, "gray")


def test_huey_in_place():
    instrument("huey")
    queue = huey.MemoryHuey(immediate=True)
    with use(env="gray"):
        assert queue.task()(lambda: get("env"))()() == "gray"
        assert get("env") == "gray"


def test_taskiq_writes_labels_and_leaves_the_kicker_of_the_program():
    instrument("taskiq")
    broker = taskiq.InMemoryBroker()
    sent = []

    async def kick(message):
        sent.append(message.labels)

    @broker.task(task_name="job", own="1")
    async def job():
        pass

    async def main():
        kicker = job.kicker().with_labels(more="2")
        with arrived():
            await kicker.kiq()
        await kicker.kiq()
        await broker.shutdown()

    vars(broker)["kick"] = kick
    asyncio.run(main())
    assert sent == [{"own": "1", "more": "2"} | TAGGED, {"own": "1", "more": "2"}]


def test_taskiqs_task_of_one_time_has_the_tag_and_one_that_recurs_has_not():
    instrument("taskiq")
    broker = taskiq.InMemoryBroker()
    added = []

    class Source(taskiq.ScheduleSource):
        async def get_schedules(self):
            return []

        async def add_schedule(self, schedule):
            added.append(schedule.labels)

    @broker.task(task_name="job")
    async def job():
        pass

    async def main():
        with arrived():
            await job.schedule_by_time(Source(), datetime.datetime.now(datetime.UTC))
            await job.schedule_by_cron(Source(), "* * * * *")
        await broker.shutdown()

    asyncio.run(main())
    assert added == [TAGGED, {}]


def test_taskiqs_receiver_reports_a_broken_message_as_before(caplog):
    instrument("taskiq")
    broker = taskiq.InMemoryBroker()

    async def main():
        await broker.receiver.callback(b"not a message")
        await broker.shutdown()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert "Cannot parse message" in caplog.text


@pytest.mark.parametrize("own", [{}, {"job_serializer": lambda job: json.dumps(job).encode()}], ids=["pickle", "json"])
def test_arqs_jobs_can_be_read_without_us(own):
    instrument("arq")
    load = json.loads if own else pickle.loads

    async def main(port):
        pool = await arq.create_pool(RedisSettings(port=port), **own)
        with arrived():
            await pool.enqueue_job("job", 1, _job_id="tagged", more=2)
        await pool.enqueue_job("job", 1, _job_id="plain")
        stored = [await pool.get(f"arq:job:{name}") for name in ("tagged", "plain")]
        await pool.aclose()
        return stored

    with redis_server() as port:
        tagged, plain = asyncio.run(main(port))
    assert load(tagged)["propagation"] == TAGGED
    assert "propagation" not in load(plain)
    uninstrument()
    function, args, kwargs, *_ = arq.jobs.deserialize_job_raw(tagged, deserializer=load)
    assert (function, tuple(args), kwargs) == ("job", (1,), {"more": 2})


def test_faststreams_middleware_by_hand_and_instrumented_is_once():
    seen = []

    async def main():
        broker = NatsBroker(middlewares=[PropagationMiddleware])

        @broker.subscriber("jobs")
        async def take(body: str, message: nats_message):
            seen.append((get("env"), {name: message.headers.get(name) for name in TAGGED}))

        async with TestNatsBroker(broker):
            with arrived():
                await broker.publish("hello", "jobs")
            await broker.publish("hello", "jobs", headers={"env": "prod"})

    from faststream.nats.annotations import NatsMessage as nats_message  # noqa: N813

    for instrumented in (False, True):
        if instrumented:
            instrument("faststream")
        asyncio.run(main())
    assert seen == [("gray", TAGGED), ("prod", {"env": "prod", "baggage": None})] * 2
    assert inject({}) == {}
