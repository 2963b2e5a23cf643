"""The Kafka clients of Python against one broker: librdkafka's mock, in this process and over real sockets."""

import asyncio
from contextlib import contextmanager
from typing import Any

import confluent_kafka
import kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Consumer, SerializingProducer
from kafka import KafkaConsumer, KafkaProducer

QUIET = {"log_level": 0}


@contextmanager
def broker():
    """The address of a broker that lives as long as the producer that holds it."""
    holder = confluent_kafka.Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, **QUIET})
    (one,) = holder.list_topics(timeout=10).brokers.values()
    yield f"{one.host}:{one.port}"
    holder.flush(1)


class Confluent:
    def producer(self, address):
        return confluent_kafka.Producer({"bootstrap.servers": address, **QUIET})

    def send(self, address, topic, *many):
        """Produce messages, each given by the headers that the program itself sets, or by a callable for them."""
        producer = self.producer(address)
        for headers in many:
            producer.produce(topic, b"value", partition=0, **({} if headers is None else {"headers": headers}))
        producer.flush(10)

    def receive(self, address, topic, count, work):
        """`work(message)` of each message, in order."""
        consumer = Consumer({"bootstrap.servers": address, "group.id": "tests", **QUIET})
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        try:
            return [work(consumer.poll(10)) for _ in range(count)]
        finally:
            consumer.close()


class ConfluentSerializing(Confluent):
    def producer(self, address):
        return SerializingProducer({"bootstrap.servers": address, **QUIET})


class Aio:
    def send(self, address, topic, *many):
        async def main():
            async with AIOKafkaProducer(bootstrap_servers=address) as producer:
                for headers in many:
                    await producer.send_and_wait(topic, b"value", partition=0, headers=headers)

        asyncio.run(main())

    def receive(self, address, topic, count, work):
        async def main():
            consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
            consumer.assign([TopicPartition(topic, 0)])
            async with consumer:
                return [work(await asyncio.wait_for(consumer.getone(), 10)) for _ in range(count)]

        return asyncio.run(main())


class KafkaPython:
    # Else it asks the broker, and cannot read what librdkafka's mock answers.
    options = {"api_version": (2, 0, 0)}  # noqa: RUF012

    def send(self, address, topic, *many):
        producer = KafkaProducer(bootstrap_servers=address, **self.options)
        for headers in many:
            producer.send(topic, b"value", partition=0, headers=headers)
        producer.flush(10)
        producer.close()

    def receive(self, address, topic, count, work):
        consumer = KafkaConsumer(
            bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=10_000, **self.options
        )
        consumer.assign([kafka.TopicPartition(topic, 0)])
        try:
            return [work(next(consumer)) for _ in range(count)]
        finally:
            consumer.close()


ADAPTERS: dict[str, Any] = {
    "confluent_kafka": Confluent(),
    "confluent_kafka serializing": ConfluentSerializing(),
    "aiokafka": Aio(),
    "kafka": KafkaPython(),
}
