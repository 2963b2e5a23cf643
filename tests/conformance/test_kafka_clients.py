"""Kafka: what is produced has the fields as record headers, and each consumed message restores its own."""

from itertools import count

import confluent_kafka
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord
from kafka import KafkaProducer
from kafka_clients import ADAPTERS, broker
from opentelemetry.context import Context

from propagation import PropagationConfig, extract, get, instrument, uninstrument, use
from propagation.messaging.kafka import consumed, outgoing

topics = (f"topic-{number}" for number in count())


@pytest.fixture(scope="module")
def address():
    with broker() as found:
        yield found


@pytest.fixture(params=ADAPTERS)
def client(request):
    yield ADAPTERS[request.param]
    uninstrument()


@pytest.fixture
def topic():
    return next(topics)


def headers_of(message):
    headers = message.headers() if callable(message.headers) else message.headers
    return list(headers or ())


def lane(message):
    with consumed(message):
        return get("env")


def test_written_by_hand_and_restored_for_each_message(client, address, topic):
    lanes = ["gray", "prod", None, "gray.next", None]
    sent = []
    for one in lanes:
        with use(env=one):
            sent.append(outgoing())
    client.send(address, topic, *sent)
    assert client.receive(address, topic, len(lanes), lane) == ["gray", "prod", None, "gray", None]
    assert get("env") is None


@pytest.mark.parametrize("name", ["confluent_kafka", "aiokafka", "kafka"])
def test_instrumented_producers_write_the_fields(name, address, topic):
    instrument(name)
    instrument(name)
    clients = [client for key, client in ADAPTERS.items() if key.startswith(name)]
    try:
        with use(extract({"env": "gray", "baggage": "user=alice;ttl=5"}, context=Context())):
            for client in clients:
                client.send(address, topic, None, [("env", b"prod"), ("own", b"\xff")], outgoing())
    finally:
        uninstrument(name)
    fields = [("env", b"gray"), ("baggage", b"env=gray,user=alice;ttl=5")]
    own = [("env", b"prod"), ("own", b"\xff"), ("baggage", b"env=prod,user=alice;ttl=5")]
    came = clients[0].receive(address, topic, 3 * len(clients), headers_of)
    assert came == [fields, own, fields] * len(clients)


def test_every_way_to_give_confluents_producer_its_headers(address, topic):
    instrument("confluent_kafka")
    with use(env="gray"):
        producer = ADAPTERS["confluent_kafka"].producer(address)
        producer.produce(topic, b"v", None, 0, None, None, 0, {"own": "1"})
        producer.produce(topic, value=b"v", partition=0, headers={"own": None})
        producer.produce(topic, b"v", partition=0)
    uninstrument()
    with use(env="gray"):
        producer.produce(topic, b"v", partition=0)
    producer.flush(10)
    fields = [("env", b"gray"), ("baggage", b"env=gray")]
    assert ADAPTERS["confluent_kafka"].receive(address, topic, 4, headers_of) == [
        [("own", b"1"), *fields],
        [("own", None), *fields],
        fields,
        [],
    ]


def test_uninstrument_puts_back_what_was_there():
    owners = [
        (confluent_kafka, "Producer"),
        (confluent_kafka.SerializingProducer, "produce"),
        (AIOKafkaProducer, "send"),
        (KafkaProducer, "send"),
    ]
    before = [getattr(owner, name) for owner, name in owners]
    instrument("confluent_kafka", "aiokafka", "kafka")
    assert all(getattr(owner, name) is not one for (owner, name), one in zip(owners, before, strict=True))
    assert issubclass(confluent_kafka.Producer, before[0])
    uninstrument()
    assert [getattr(owner, name) for owner, name in owners] == before


def record(headers):
    return ConsumerRecord("t", 0, 0, 0, 0, None, b"", None, 0, 0, headers)


@pytest.mark.parametrize("make", [record, lambda headers: confluent_kafka.Message(headers=headers)])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Env", b"gray")], "gray"),
        ([("baggage", b"a=1,env=gray;p")], "gray"),
        ([("env", b"gray"), ("env", b"prod")], None),
        ([("env", b"\xff\xfe")], None),
        ([("env", None)], None),
        ([], None),
    ],
)
def test_a_message_is_read_by_the_rules_of_headers(make, headers, expected):
    assert lane(make(headers)) == expected


def test_a_message_without_headers_at_all():
    assert lane(confluent_kafka.Message()) is None


def test_a_message_does_not_get_the_tag_of_what_is_around_it():
    with use(env="gray"):
        assert lane(record([])) is None
        assert lane(record([("env", b"prod")])) == "prod"
        assert get("env") == "gray"


def test_a_message_that_nobody_tagged_has_the_origin():
    config = PropagationConfig(origin={"env": "gray"})
    with consumed(record([]), config=config):
        assert get("env") == "gray"
        assert outgoing() == [("env", b"gray"), ("baggage", b"env=gray")]
    with consumed(record([("env", b"prod")]), config=config):
        assert get("env") == "prod"


def test_an_error_in_the_work_leaves_nothing():
    with pytest.raises(ValueError, match="on purpose"), consumed(record([("env", b"gray")])):
        raise ValueError("on purpose")
    assert get("env") is None
