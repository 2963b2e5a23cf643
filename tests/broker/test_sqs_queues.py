"""What is SQS's alone: tags, names and attributes of the lanes' queues, and a queue that is deleted."""

import json

import pytest

from propagation import get, use
from propagation.messaging import consumed
from propagation.messaging.lanes import LaneFilter, Roster
from propagation.messaging.lanes.sqs import LaneConsumer, LaneProducer, headers_of
from propagation.messaging.lanes.sqs_queues import ALIVE_TAG, Queues

pytestmark = pytest.mark.broker


@pytest.fixture
def client(sqs):
    return sqs.client()


def roster_of(queue, *lanes):
    stem, fifo = queue.removesuffix(".fifo"), ".fifo" * queue.endswith(".fifo")
    return Roster("orders", "sqs", queue, "prod", {"prod": queue, **{lane: f"{stem}-{lane}{fifo}" for lane in lanes}})


def created(client, queue, **attributes):
    return client.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]


def test_a_lanes_queue_has_the_attributes_of_the_baselines(client):
    dead = client.get_queue_attributes(QueueUrl=created(client, "pay-dead"), AttributeNames=["QueueArn"])
    redrive = json.dumps({"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": 3})
    created(client, "pay", VisibilityTimeout="47", RedrivePolicy=redrive)
    with LaneConsumer(client, "pay", LaneFilter("gray", roster_of("pay", "gray"))):
        url = client.get_queue_url(QueueName="pay-gray")["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["VisibilityTimeout"] == "47"
    assert dead["Attributes"]["QueueArn"] in found["RedrivePolicy"]


def test_a_fifo_queues_lane_is_one_too(client):
    created(client, "tax.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    with LaneConsumer(client, "tax.fifo", LaneFilter("gray", roster_of("tax.fifo", "gray"))) as gray:
        producer = LaneProducer(client, "tax.fifo", LaneFilter(None, roster_of("tax.fifo", "gray")))
        with use(env="gray"):
            producer.send(MessageBody="1", MessageGroupId="one")
        (message,) = gray.receive(WaitTimeSeconds=5)
    assert message["QueueUrl"].endswith("/tax-gray.fifo")
    with consumed(headers_of(message)):
        assert get("env") == "gray"


def test_queues_that_are_called_like_a_lanes_are_left_alone(client):
    created(client, "ship")
    archive = created(client, "ship-archive")
    client.send_message(QueueUrl=archive, MessageBody="not for us")
    with LaneConsumer(client, "ship", LaneFilter(None, roster_of("ship", "gray"))) as baseline:
        assert [baseline.receive() for _ in range(4)] == [[]] * 4


def test_a_heartbeat_that_does_not_change_is_none(client):
    created(client, "mail")
    url = created(client, "mail-gray")
    queues = Queues(client, LaneFilter(None, roster_of("mail", "gray")), "mail")
    for tag in ("", "no number", "0", "99999999999"):
        client.tag_queue(QueueUrl=url, Tags={ALIVE_TAG: tag})
        fresh = Queues(client, LaneFilter(None, roster_of("mail", "gray")), "mail")
        fresh.look()
        assert fresh.watch.taken_over() == {"mail-gray"}, tag
    queues.look()
    assert queues.taken_over == (url,)
    client.tag_queue(QueueUrl=url, Tags={ALIVE_TAG: "1"})  # of a machine whose clock is wrong, but it changes
    queues.look()
    assert queues.taken_over == ()


def test_a_lanes_queue_that_is_deleted_is_forgotten(client):
    created(client, "fax")
    url = created(client, "fax-gray")
    with LaneConsumer(client, "fax", LaneFilter(None, roster_of("fax", "gray"))) as baseline:
        client.delete_queue(QueueUrl=url)
        client.send_message(QueueUrl=client.get_queue_url(QueueName="fax")["QueueUrl"], MessageBody="1")
        received = [message["Body"] for _ in range(4) for message in baseline.receive()]
    assert received == ["1"]
