"""A consumer of one lane as a process of its own, by any of the libraries: `python lane_worker.py SETTINGS`.

Each message is JSON with a number, `n`, and what is to happen with it, `do`. What was handled goes to a file, a line a
message, before the message is acknowledged.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from propagation import instrument
from propagation.messaging.lanes import LaneFilter


class Settings(NamedTuple):
    """What a worker is started with."""

    library: str
    url: str
    queue: str  # the baseline's
    lane: str | None
    roster: str
    handled: str  # the file of what was handled
    gate: str  # a file; while it is there, messages with `"do": "wait"` wait
    prefetch: int = 20

    @property
    def lanes(self):
        return LaneFilter(self.lane, self.roster, consumer="orders")

    @property
    def arguments(self):
        """Of the queues of RabbitMQ: dead letters go to a queue of the test."""
        return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letters(self.queue)}


def dead_letters(queue):
    """The queue for what a consumer rejects."""
    return f"{queue}-dead"


def handle(settings, body, redelivered):
    """Handle one message; "ack", or what else the consumer shall answer: "reject" or "retry"."""
    message = json.loads(body)
    what = message.get("do")
    if what == "reject":
        return "reject"
    if what == "flaky" and not redelivered:
        return "retry"
    while what == "wait" and Path(settings.gate).exists():
        time.sleep(0.02)
    note(settings, message["n"], redelivered)
    return "ack"


def note(settings, number, redelivered):
    """Write that a message was handled; at once, since this process may be killed."""
    line = {"n": number, "lane": settings.lane or "prod", "redelivered": bool(redelivered), "at": time.time()}
    file = os.open(settings.handled, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(line) + "\n").encode())
    os.close(file)


def ready():
    """Past what Celery makes of sys.stdout."""
    os.write(1, b"ready\n")


def by_pika(settings):
    import pika

    from propagation.messaging.lanes.pika import LaneConsumer

    def take(channel, method, properties, body):
        answer = handle(settings, body, method.redelivered)
        if answer == "ack":
            channel.basic_ack(method.delivery_tag)
        else:
            channel.basic_nack(method.delivery_tag, requeue=answer == "retry")

    lanes = settings.lanes
    while True:
        try:
            connection = pika.BlockingConnection(pika.URLParameters(settings.url))
            channel = connection.channel()
            channel.basic_qos(prefetch_count=settings.prefetch)
            channel.queue_declare(settings.queue, durable=True, arguments=settings.arguments)
            LaneConsumer(channel, settings.queue, take, lanes, declare={"arguments": settings.arguments}).start()
            ready()
            channel.start_consuming()
        except pika.exceptions.AMQPError:
            time.sleep(0.2)


def by_aio_pika(settings):
    import aio_pika

    from propagation.messaging.lanes.aio_pika import LaneConsumer

    async def take(message):
        answer = await asyncio.to_thread(handle, settings, message.body, message.redelivered)
        if answer == "ack":
            await message.ack()
        else:
            await message.nack(requeue=answer == "retry")

    async def main():
        connection = await aio_pika.connect_robust(settings.url, reconnect_interval=0.2)
        channel = await connection.channel()
        await channel.set_qos(settings.prefetch)
        arguments = {"arguments": settings.arguments}
        async with LaneConsumer(channel, settings.queue, take, settings.lanes, declare=arguments):
            ready()
            await asyncio.Future()

    asyncio.run(main())


def by_celery(settings):
    from celery.signals import worker_ready
    from lane_celery import make_app

    instrument("celery")
    app = make_app(settings)
    worker_ready.connect(lambda **_: ready(), weak=False)
    options = ["--pool=threads", "--concurrency=1", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    name = f"{settings.lane}-{os.getpid()}@localhost"
    app.worker_main(["worker", *options, "-n", name, f"--prefetch-multiplier={settings.prefetch}"])


def by_sqs(settings):
    from botocore.exceptions import BotoCoreError, ClientError
    from sqs_server import client_of

    from propagation.messaging.lanes.sqs import LaneConsumer

    client = client_of(settings.url)
    with LaneConsumer(client, settings.queue, settings.lanes) as consumer:
        ready()
        while True:
            try:
                options = {"MaxNumberOfMessages": min(settings.prefetch, 10), "WaitTimeSeconds": 1}
                messages = consumer.receive(AttributeNames=["ApproximateReceiveCount"], **options)
                for message in messages:
                    count = int(message["Attributes"]["ApproximateReceiveCount"])
                    key = {name: message[name] for name in ("QueueUrl", "ReceiptHandle")}
                    answer = handle(settings, message["Body"], count > 1)
                    if answer == "ack":
                        client.delete_message(**key)
                    else:
                        client.change_message_visibility(**key, VisibilityTimeout=0)
            except (BotoCoreError, ClientError):
                time.sleep(0.2)


WORKERS = {"pika": by_pika, "aio-pika": by_aio_pika, "celery": by_celery, "sqs": by_sqs}

if __name__ == "__main__":
    settings = Settings(**json.loads(sys.argv[1]))
    WORKERS[settings.library](settings)
