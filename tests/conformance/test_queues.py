(
    """What every queue must do, with a real worker and its broker in this process.

Adapters: tests/support/task_queues.py and message_brokers.py.
"""
    ""
)

import logging

import pytest
import queue_jobs
from message_brokers import MESSAGE_BROKERS
from task_queues import TASK_QUEUES

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.registry import REGISTRY

ADAPTERS = TASK_QUEUES | MESSAGE_BROKERS


def having(kind):
    """For the adapters that have this kind of job."""
    return pytest.mark.parametrize("name", [name for name, adapter in ADAPTERS.items() if kind in adapter.kinds])


@pytest.fixture
def queue(name, caplog):
    instrument(name.split()[0])
    with caplog.at_level(logging.ERROR, "opentelemetry"), ADAPTERS[name] as found:
        yield found
    uninstrument()
    assert "Failed to detach" not in caplog.text


def drained(queue):
    """The tags that jobs saw; and nothing is left of them."""
    queue.drain()
    seen = list(queue_jobs.SEEN)
    queue_jobs.SEEN.clear()
    assert queue.left == {}
    return seen


@pytest.mark.slow
@having("note")
def test_each_job_has_the_tag_of_whoever_sent_it(queue):
    lanes = ["gray", "prod", None, "gray", None]
    for lane in lanes:
        with use(env=lane):
            queue.send("note")
    assert drained(queue) == lanes


@pytest.mark.slow
@having("flaky")
def test_a_retry_has_the_tag_too(queue):
    for lane in ("gray", None):
        with use(env=lane):
            queue.send("flaky")
        assert drained(queue) == [lane] * 2


@pytest.mark.slow
@having("sending")
def test_what_a_job_sends_has_its_tag(queue):
    for lane in ("gray", None, "prod"):
        with use(env=lane):
            queue.send("sending")
    queue.drain()
    assert drained(queue) == ["gray", None, "prod"]


@having("failing")
def test_after_a_failure_the_next_job_is_its_own(queue):
    with use(env="gray"):
        queue.send("failing")
    queue.send("note")
    assert drained(queue) == ["gray", None]


@having("note")
def test_a_job_from_nowhere_has_the_origin(name):
    instrument(name.split()[0], config=PropagationConfig(origin={"env": "gray"}))
    try:
        with ADAPTERS[name] as queue:
            queue.send("note")
            with use(env="prod"):
                queue.send("note")
            assert drained(queue) == ["gray", "prod"]
    finally:
        uninstrument()


@having("note")
def test_taken_back_it_neither_writes_nor_reads(name, queue):
    with use(env="gray"):
        queue.send("note")
    if name == "huey" or queue.at_once:
        drained(queue)  # huey's workers need it as long as there are messages of a producer that had it
    uninstrument()
    with use(env="prod"):
        queue.send("note")
    # FastStream's stand-ins run a subscriber in the context of whoever publishes.
    assert set(drained(queue)) == ({"prod"} if name.startswith("faststream") else {None})


def test_every_queue_of_the_registry_is_tried():
    elsewhere = {"celery", "confluent_kafka", "aiokafka", "kafka"}
    known = {name for name, entry in REGISTRY.items() if entry.module.startswith("propagation.messaging.")}
    assert {name.split()[0] for name in ADAPTERS} == known - elsewhere
