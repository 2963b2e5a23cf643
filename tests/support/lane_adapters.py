"""What the conformance suite of messages by lane needs of each library: producers here, consumers in lane_worker.py."""

import asyncio
import json
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import lane_worker
import pika
from botocore.exceptions import BotoCoreError, ClientError
from lane_celery import make_app
from lane_worker import Settings, dead_letters

from propagation import instrument, uninstrument, use
from propagation.messaging.lanes import LaneFilter
from propagation.messaging.lanes import aio_pika as lanes_aio_pika
from propagation.messaging.lanes import pika as lanes_pika
from propagation.messaging.lanes.rabbitmq import alive_queue, registry_queue
from propagation.messaging.lanes.sqs import LaneProducer

PATIENCE = 180.0  # seconds for anything that happens at all; a machine may have much else to do
LANES = ("prod", "gray", "blue")


class World:
    """One consumer of the spec on a broker: its queues, its roster, its workers, and what they have handled.

    Subclasses are the libraries: `send` puts messages into a queue as a producer of that library does.
    """

    library: str
    kind = "rabbitmq"
    separator = "."

    def __init__(self, broker, folder):
        self.broker, self.folder = broker, Path(folder)
        self.queue = f"orders-{uuid.uuid4().hex[:8]}"
        self.roster, self.gate, self.file = self.folder / "roster.json", self.folder / "gate", self.folder / "handled"
        self.workers, self.sent = [], Counter()
        self.list_lanes(*LANES)
        self.lanes = LaneFilter(None, self.roster, consumer="orders")  # of the producer

    def list_lanes(self, *lanes):
        """Write the roster, as graylane does, with these lanes."""
        names = {lane: self.queue_of(lane) for lane in lanes}
        consumer = {"kind": self.kind, "topic": self.queue, "lanes": names}
        new = self.roster.with_suffix(".new")
        new.write_text(json.dumps({"baseline": "prod", "consumers": {"orders": consumer}}))
        new.replace(self.roster)

    def queue_of(self, lane):
        return self.queue if lane == "prod" else f"{self.queue}{self.separator}{lane}"

    def settings(self, lane, **options):
        files = str(self.roster), str(self.file), str(self.gate)
        return Settings(self.library, self.broker.url, self.queue, lane, *files, **options)

    def start(self, *lanes, **options):
        """Start a worker for each lane, and wait until they consume; the last one's process."""
        for lane in lanes:
            command = [sys.executable, lane_worker.__file__, json.dumps(self.settings(lane, **options)._asdict())]
            log = self.folder / f"worker-{len(self.workers)}.log"
            with log.open("wb") as errors:
                worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL)
            self.workers.append(worker)
            watchdog = threading.Timer(PATIENCE, worker.kill)
            watchdog.start()
            assert any(line == b"ready\n" for line in worker.stdout), log.read_text()
            watchdog.cancel()
        return self.workers[-1]

    def kill(self, worker):
        """As the kernel does for want of memory: without a word."""
        worker.kill()
        worker.wait()

    def end(self):
        for worker in self.workers:
            self.kill(worker)
            worker.stdout.close()

    def send(self, bodies):
        raise NotImplementedError

    def put_into_register(self, *bodies):
        """Where the broker has a queue with the names of lanes' queues, put something else into it."""

    def send_many(self, lane, numbers, **message):
        """Send a message for each number, as a producer does while it works for this lane."""
        numbers = list(numbers)
        self.sent.update(numbers)
        with use(env=lane):
            self.send([json.dumps({"n": number, **message}).encode() for number in numbers])

    def handled(self):
        """The lines of what was handled."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def by_lane(self):
        """Which numbers each lane handled."""
        found = {}
        for line in self.handled():
            found.setdefault(line["lane"], set()).add(line["n"])
        return found

    def eventually(self, what, *, patience=PATIENCE):
        """Wait for something to be true; what is there of the handled messages says why it is not."""
        end = time.monotonic() + patience
        while not (found := what()):
            assert time.monotonic() < end, {lane: len(numbers) for lane, numbers in self.by_lane().items()}
            time.sleep(0.05)
        return found

    def until_all_handled(self, patience=PATIENCE):
        """Wait until each message that was sent is handled; the numbers by lane."""
        self.eventually(lambda: set().union(*self.by_lane().values()) >= set(self.sent), patience=patience)
        return self.by_lane()


class RabbitMQWorld(World):
    def channel(self):
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
        return connection.channel()

    @contextmanager
    def looking(self):
        channel = self.channel()
        try:
            yield channel
        finally:
            channel.connection.close()

    def waiting(self, queue):
        """How many messages nobody has taken from a queue."""
        with self.looking() as channel:
            return channel.queue_declare(queue, passive=True).method.message_count

    def is_taken(self, queue):
        """Whether consumers hold messages of a queue, or there are some left in it."""
        return self.waiting(queue) > 0

    def has_released(self, queue):
        """Whether the lane's own are the only consumers of its queue."""
        with self.looking() as channel:
            names = (queue, alive_queue(queue))
            own, alive = (channel.queue_declare(name, passive=True).method.consumer_count for name in names)
        return own == alive == 1

    def put_into_register(self, *bodies):
        with self.looking() as channel:
            for body in bodies:
                channel.basic_publish("", registry_queue(self.queue), body)

    def delete(self, queue):
        with self.looking() as channel:
            channel.queue_delete(queue)

    def interrupt_broker(self):
        """Kill the broker and start it again."""
        self.broker.kill()
        self.broker.start()

    def dead(self):
        """How many dead letters there are."""
        with self.looking() as channel:
            return channel.queue_declare(dead_letters(self.queue), durable=True).method.message_count

    def send_raw(self, body, headers):
        """By a producer that knows nothing of lanes."""
        with self.looking() as channel:
            channel.basic_publish("", self.queue, body, pika.BasicProperties(headers=headers, delivery_mode=2))


class PikaWorld(RabbitMQWorld):
    library = "pika"
    connection = producer = None

    def send(self, bodies):
        for body in bodies:
            while not self._sent(body):
                time.sleep(0.1)

    def _sent(self, body):
        try:
            if self.connection is None or self.connection.is_closed:
                channel = self.channel()
                channel.confirm_delivery()
                self.connection = channel.connection
                self.producer = lanes_pika.LaneProducer(channel, self.queue, self.lanes)
            self.producer.publish(body, pika.BasicProperties(delivery_mode=2))
        except pika.exceptions.AMQPError:
            return False
        return True

    def end(self):
        super().end()
        if self.connection and self.connection.is_open:
            self.connection.close()


class AioPikaWorld(RabbitMQWorld):
    library = "aio-pika"

    def send(self, bodies):
        asyncio.run(self._send(bodies))

    async def _send(self, bodies):
        async with await self._connected() as connection:
            channel = await connection.channel()
            producer = lanes_aio_pika.LaneProducer(channel, self.queue, self.lanes)
            for body in bodies:
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                while True:
                    try:
                        await producer.publish(message)
                        break
                    except (aio_pika.exceptions.AMQPError, aio_pika.exceptions.ChannelInvalidStateError, OSError):
                        await asyncio.sleep(0.1)

    async def _connected(self):
        while True:
            try:
                return await aio_pika.connect_robust(self.broker.url, reconnect_interval=0.2)
            except OSError:
                await asyncio.sleep(0.1)


class CeleryWorld(RabbitMQWorld):
    library = "celery"

    def __init__(self, *args):
        super().__init__(*args)
        instrument("celery")
        self.app = make_app(self.settings(None))

    def send(self, bodies):
        for body in bodies:
            self.app.send_task("handle", [json.loads(body)])

    def send_raw(self, body, headers):
        task = str(uuid.uuid4())
        about = {"task": "handle", "id": task, "lang": "py", "retries": 0, **headers}
        properties = {"correlation_id": task, "content_type": "application/json", "content_encoding": "utf-8"}
        with self.looking() as channel:
            body = json.dumps([[json.loads(body)], {}, {}]).encode()
            channel.basic_publish("", self.queue, body, pika.BasicProperties(headers=about, **properties))

    def end(self):
        super().end()
        self.app.close()
        uninstrument()


class SQSWorld(World):
    library = kind = "sqs"
    separator = "-"

    def __init__(self, *args):
        super().__init__(*args)
        self.client = self.broker.client()
        dead = self.client.create_queue(QueueName=dead_letters(self.queue))["QueueUrl"]
        answer = self.client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": 3}
        attributes = {"VisibilityTimeout": "8", "RedrivePolicy": json.dumps(redrive)}
        self.client.create_queue(QueueName=self.queue, Attributes=attributes)
        self.producer = LaneProducer(self.client, self.queue, self.lanes)

    def send(self, bodies):
        for body in bodies:
            while not self._sent(body.decode()):
                time.sleep(0.1)

    def _sent(self, body):
        try:
            self.producer.send(MessageBody=body)
        except (BotoCoreError, ClientError):
            return False
        return True

    def send_raw(self, body, headers):
        attributes = {
            name: {"DataType": "Binary", "BinaryValue": value}
            if isinstance(value, bytes)
            else {"DataType": "String", "StringValue": value}
            for name, value in headers.items()
        }
        self.client.send_message(QueueUrl=self.url(self.queue), MessageBody=body.decode(), MessageAttributes=attributes)

    def url(self, queue):
        return self.client.get_queue_url(QueueName=queue)["QueueUrl"]

    def waiting(self, queue, which="ApproximateNumberOfMessages"):
        answer = self.client.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=[which])
        return int(answer["Attributes"][which])

    def is_taken(self, queue):
        return self.waiting(queue, "ApproximateNumberOfMessagesNotVisible") > 0

    def has_released(self, queue):
        """The consumers of SQS have no list; those that come back are seen soon."""
        return True

    def delete(self, queue):
        self.client.delete_queue(QueueUrl=self.url(queue))

    def interrupt_broker(self):
        """What is in moto's queues does not outlive it, so that it hangs for a while."""
        self.broker.pause()
        time.sleep(3)
        self.broker.resume()

    def dead(self):
        return self.waiting(dead_letters(self.queue))


WORLDS = {world.library: world for world in (PikaWorld, AioPikaWorld, CeleryWorld, SQSWorld)}
