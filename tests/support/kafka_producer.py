"""Sends numbered messages of several lanes to one topic of Kafka, now or in the background."""

import itertools
import threading

from confluent_kafka import Producer

from propagation import use
from propagation.messaging.kafka import outgoing


class Sent:
    """What was sent: the lane of each message, by its number, which is its value."""

    def __init__(self, bootstrap, topic):
        # Idempotent, so that a broker's restart neither loses nor doubles what is sent.
        config = {"bootstrap.servers": bootstrap, "log_level": 0, "enable.idempotence": True, "linger.ms": 5}
        self._topic, self._producer = topic, Producer(config)
        self.lanes = []
        self._end = threading.Event()
        self._thread = None

    def send(self, count, lanes=("gray", "blue", None), pause=0.0, at_once=1):
        """Send `count` messages of the lanes in turn, `at_once` in each `pause` seconds; returns their numbers."""
        first = len(self.lanes)
        for lane in itertools.islice(itertools.cycle(lanes), count):
            number = len(self.lanes)
            self.lanes.append(lane)
            with use(env=lane):
                self._produce(str(number).encode(), outgoing())
            if pause and number % at_once == 0 and self._end.wait(pause):
                break
        self._producer.flush(60)
        return range(first, len(self.lanes))

    def keep_sending(self, count=10**9, **how):
        """Send on in the background."""
        self._thread = threading.Thread(target=self.send, args=(count,), kwargs=how)
        self._thread.start()

    def wait(self):
        """Wait until all of `keep_sending` are sent; the answer is all numbers."""
        self._thread.join()
        return range(len(self.lanes))

    def stop(self):
        """Send no more; the answer is all numbers."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        self._end.clear()
        return range(len(self.lanes))

    def of(self, lane, numbers=None):
        """The numbers of a lane's messages."""
        return [one for one in numbers or range(len(self.lanes)) if self.lanes[one] == lane]

    def _produce(self, value, headers):
        while True:
            try:
                self._producer.produce(self._topic, value, headers=headers)
            except BufferError:  # the queue is full while the broker is away
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return
