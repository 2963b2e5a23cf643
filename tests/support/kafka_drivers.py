"""One LaneConsumer of each client, driven step by step from a test."""

import asyncio
import threading

from kafka_worker import LINGER, lane_filter

LEASE = 6000


class Confluent:
    """confluent-kafka's."""

    def __init__(self, orders, lane="-", auto=True, linger=LINGER):
        from propagation.messaging.lanes.confluent_kafka import LaneConsumer

        config = {"bootstrap.servers": orders.bootstrap, "group.id": orders.group, "auto.offset.reset": "earliest"}
        config |= {"enable.auto.commit": auto, "auto.commit.interval.ms": 200, "log_level": 0}
        self.consumer = LaneConsumer(config, lane_filter(orders.path, lane), linger=linger)
        self.consumer.subscribe([orders.topic])

    def get(self, timeout=30.0):
        """A message as (partition, offset, value); None after `timeout` seconds."""
        self.message = self.consumer.poll(timeout)
        return self.message and (self.message.partition(), self.message.offset(), self.message.value())

    def commit(self):
        self.consumer.commit(self.message, asynchronous=False)

    def handled(self):
        self.consumer.handled(self.message)
        self.consumer.poll(0)

    def retry(self):
        self.consumer.seek(self._place(self.message.topic(), self.message.partition(), self.message.offset()))

    def pause(self, topic, *partitions):
        self.consumer.pause([self._place(topic, one) for one in partitions])

    def resume(self, topic, *partitions):
        self.consumer.resume([self._place(topic, one) for one in partitions])

    def close(self, error=None):
        self.consumer.__exit__(type(error), error, None) if error else self.consumer.close()

    @staticmethod
    def _place(*where):
        from confluent_kafka import TopicPartition

        return TopicPartition(*where)


class Aio:
    """aiokafka's, in an event loop of its own."""

    def __init__(self, orders, lane="-", auto=True, linger=LINGER):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._do(self._start(orders, lane, auto, linger))

    async def _start(self, orders, lane, auto, linger):
        from propagation.messaging.lanes.aiokafka import LaneConsumer

        self.consumer = LaneConsumer(
            orders.topic,
            lanes=lane_filter(orders.path, lane),
            group_id=orders.group,
            bootstrap_servers=orders.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=auto,
            auto_commit_interval_ms=200,
            linger=linger,
        )
        await self.consumer.start()

    def get(self, timeout=30.0):
        """A message as (partition, offset, value); None after `timeout` seconds."""
        found = self._do(self.consumer.getmany(timeout_ms=int(timeout * 1000), max_records=1))
        self.message = found[0] if found else None
        return self.message and (self.message.partition, self.message.offset, self.message.value)

    def commit(self):
        self._do(self.consumer.commit(self.message))

    def handled(self):
        self.consumer.handled(self.message)
        self._do(self.consumer.getmany())

    def retry(self):
        message = self.message
        self._call(lambda: self.consumer.seek(self._place(message.topic, message.partition), message.offset))

    def pause(self, topic, *partitions):
        self._call(lambda: self.consumer.pause(*(self._place(topic, one) for one in partitions)))

    def resume(self, topic, *partitions):
        self._call(lambda: self.consumer.resume(*(self._place(topic, one) for one in partitions)))

    def close(self, error=None):
        self._do(self.consumer.__aexit__(type(error), error, None) if error else self.consumer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def _call(self, work):
        async def call():
            work()

        self._do(call())

    @staticmethod
    def _place(*where):
        from aiokafka import TopicPartition

        return TopicPartition(*where)


DRIVERS: dict[str, type] = {"confluent": Confluent, "aiokafka": Aio}
