"""One Kafka for all tests here, and a topic with a roster for each."""

import itertools
import json
import os
from types import SimpleNamespace

import kafka_broker
import pytest
from kafka_producer import Sent
from kafka_worker import Workers

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """A Kafka that tests may stop, kill and start again."""
    give_up = pytest.fail if os.environ.get("GRAYLANE_BROKERS") == "required" else pytest.skip
    if missing := kafka_broker.missing():
        give_up(f"Kafka comes from Maven's artifacts: needs {', '.join(missing)}")
    try:
        broker = kafka_broker.Kafka(tmp_path_factory.mktemp("kafka"))
    except RuntimeError as error:
        give_up(str(error))
    with broker:
        yield broker


@pytest.fixture
def orders(kafka, tmp_path):
    """A topic of four partitions, the baseline's group for it, and the file that says who is meant to be there."""
    name = f"orders-{next(_numbers)}"
    kafka.create(name, 4)
    path = tmp_path / "consumers.json"

    def meant(*lanes):
        names = {"prod": name} | {lane: f"{name}.{lane}" for lane in lanes}
        consumer = {"kind": "kafka", "topic": name, "lanes": names}
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"baseline": "prod", "consumers": {"orders": consumer}}))
        new.replace(path)

    meant("gray", "blue")
    return SimpleNamespace(bootstrap=kafka.bootstrap, topic=name, group=name, path=path, meant=meant)


@pytest.fixture
def workers(orders, tmp_path):
    """Starts and ends consumers of the topic, each a process."""
    made = Workers(orders.bootstrap, orders.group, orders.topic, orders.path, tmp_path)
    yield made
    fallen = made.fallen()
    made.end()
    assert not fallen, made.errors()


@pytest.fixture
def sent(orders):
    """Sends messages of lanes to the topic."""
    made = Sent(orders.bootstrap, orders.topic)
    yield made
    made.stop()
