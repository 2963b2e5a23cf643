"""What a program does with a LaneConsumer: commits, retries, pauses, failures. On a real Kafka, by each client."""

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka_drivers import DRIVERS
from kafka_worker import PATIENCE

from propagation import use
from propagation.messaging.kafka import outgoing
from propagation.messaging.lanes.present import Present

pytestmark = pytest.mark.broker


@pytest.fixture(params=DRIVERS)
def consume(request, orders):
    """Makes a consumer of the topic, of the baseline or a lane, and closes it if the test has not."""
    made = []

    def consume(lane="-", **how):
        made.append(DRIVERS[request.param](orders, lane, **how))
        return made[-1]

    yield consume
    for one in made:
        if one.consumer is not None:
            close(one)


def close(driver, error=None):
    driver.close(error)
    driver.consumer = None


@pytest.fixture
def send(orders):
    """Sends a message of a lane to one partition."""
    producer = Producer({"bootstrap.servers": orders.bootstrap})

    def send(value, partition=0, lane=None):
        with use(env=lane):
            producer.produce(orders.topic, value, headers=outgoing(), partition=partition)
        producer.flush(30)

    return send


@pytest.fixture
def committed(orders):
    """The offset that a lane's group has committed for a partition."""

    def committed(partition=0, lane=""):
        group = f"{orders.group}.{lane}" if lane else orders.group
        asked = Consumer({"bootstrap.servers": orders.bootstrap, "group.id": group})
        try:
            (found,) = asked.committed([TopicPartition(orders.topic, partition)], timeout=30)
        finally:
            asked.close()
        return found.offset

    return committed


def test_what_is_not_handled_is_not_committed_and_comes_again(consume, send, committed):
    for value in (b"a", b"b", b"c"):
        send(value)
    first = consume(auto=False)
    assert [first.get()[2] for _ in range(2)] == [b"a", b"b"]
    first.handled()  # b, while a is still at work
    close(first)
    assert committed() <= 0
    second = consume(auto=False)
    assert second.get() == (0, 0, b"a")
    second.get()
    second.commit()  # a and b
    assert committed() == 2
    close(second)
    third = consume()
    assert third.get() == (0, 2, b"c")
    close(third)
    assert committed() == 3


def test_a_message_counts_as_handled_when_the_next_is_asked_for(consume, send, committed):
    send(b"a")
    send(b"b")
    one = consume()
    assert [one.get()[2], one.get()[2]] == [b"a", b"b"]
    time.sleep(1)
    close(one, ValueError("b failed"))
    assert committed() == 1


def test_messages_of_others_are_passed_without_a_commit_of_the_program(consume, send, committed):
    gray = consume("gray", auto=False)
    one = consume(auto=False)
    send(b"first")
    assert one.get()[2] == b"first"
    one.commit()
    until(lambda: send(b"gray", lane="gray") or gray.get(1) or one.get(0))
    before = committed()
    for _ in range(3):
        send(b"gray", lane="gray")
    until(lambda: one.get(0.2) or committed() >= before + 3)


def test_a_retry_gets_the_message_again_and_those_behind_it(consume, send, committed):
    for value in (b"a", b"b"):
        send(value)
    one = consume(auto=False)
    assert one.get()[2] == b"a"
    one.retry()
    assert [one.get()[2], one.get()[2]] == [b"a", b"b"]
    assert committed() <= 0
    one.commit()
    assert committed() == 2


def test_a_paused_partition_gives_nothing_until_it_is_resumed(consume, send, orders):
    one = consume()
    send(b"a", partition=0)
    assert one.get()[2] == b"a"
    one.pause(orders.topic, 0)
    send(b"b", partition=0)
    send(b"c", partition=1)
    assert one.get()[2] == b"c"
    assert one.get(2) is None
    one.resume(orders.topic, 0)
    assert one.get()[2] == b"b"


def test_a_stand_ins_messages_are_retried_and_committed_in_the_lanes_group(consume, send, committed):
    gray, baseline = consume("gray"), consume(auto=False)
    until(lambda: send(b"warm", lane="gray") or (baseline.get(0.2) and None) or gray.get(1))
    close(gray)
    baseline.commit()
    send(b"left", lane="gray")
    message = until(lambda: (found := baseline.get(1)) and found[2] == b"left" and found)
    baseline.retry()
    assert baseline.get() == message
    assert committed(lane="gray") <= message[1]
    baseline.commit()
    assert committed(lane="gray") == message[1] + 1


HOSTILE: list[Any] = [
    [("env", b"gray"), ("env", b"blue")],
    [("env", b"\xff\xfe")],
    [("env", None)],
    [("env", b"gray" * 50_000)],
    [("baggage", b"env=blue," + b"env=gray," * 20_000)],
    [("x-retry-count", b"\xff" * 9), ("x-death", b"orders.gray"), ("retries", b"-1")],
    [(f"header-{number}", b"") for number in range(9999)],
]


def test_messages_with_hostile_headers_are_the_baselines_and_end_nobody(consume, send, orders):
    gray, baseline = consume("gray"), consume()
    until(lambda: send(b"warm", lane="gray") or (baseline.get(0.2) and None) or gray.get(1))
    producer = Producer({"bootstrap.servers": orders.bootstrap})
    for number, headers in enumerate(HOSTILE):
        producer.produce(orders.topic, b"%d" % number, headers=headers, partition=0)
    producer.flush(30)
    send(b"last", lane="gray")
    left = {b"%d" % number for number in range(len(HOSTILE))}

    def all_came():
        left.discard((baseline.get(0.2) or (0, 0, None))[2])
        return not left

    until(all_came)
    until(lambda: (gray.get(1) or (0, 0, None))[2] == b"last")


class Failing:
    """A list of who is meant to be there that a program brings itself, and that fails for a while."""

    def __init__(self, path):
        self.error, self._present = None, Present(path, "orders")

    def roster(self):
        if self.error:
            raise self.error
        return self._present.roster()


def test_a_look_that_fails_in_whatever_way_is_not_the_last(consume, send, orders):
    orders.path = Failing(orders.path)
    gray, baseline = consume("gray"), consume()
    orders.path.error = LookupError("no list today")
    time.sleep(2)
    orders.path.error = None
    until(lambda: send(b"gray", lane="gray") or (baseline.get(0.2) and None) or gray.get(1))


def until(look, patience=PATIENCE):
    """What a look gives, as soon as it is something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := look():
            return found
    raise AssertionError("it did not come")
