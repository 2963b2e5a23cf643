"""SQS by boto3, messages by lane: a queue per lane.

    lanes = LaneFilter(os.environ.get("LANE"), os.environ["GRAYLANE_CONSUMERS"], consumer="orders")
    with LaneConsumer(client, "orders", lanes) as consumer:
        while True:
            for message in consumer.receive(WaitTimeSeconds=10):
                with consumed(headers_of(message)):
                    handle(message)
                client.delete_message(QueueUrl=message["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])

    producer = LaneProducer(client, "orders", LaneFilter(None, os.environ["GRAYLANE_CONSUMERS"], consumer="orders"))
    producer.send(MessageBody="…")

Whole programs: docs/messages-by-queue.md.
"""

from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.sqs_queues import BEAT_SECONDS, LOOK_SECONDS, Queues
from propagation.messaging.message import with_fields

_WAIT_SECONDS = 1  # of one long poll of the baseline's, while lanes may leave messages behind


def headers_of(message: Mapping[str, Any]) -> dict[str, str]:
    """The text attributes of a message that `receive` gave: its headers, for `propagation.messaging.consumed`."""
    attributes = message.get("MessageAttributes") or {}
    return {name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value}


def with_attributes(attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A message's own attributes, which win, with the fields of the work at hand; SQS takes ten in all."""
    fields = with_fields(None, None)
    sent = {name: {"DataType": "String", "StringValue": value} for name, value in fields.items()}
    return {**sent, **(attributes or {})}


class LaneProducer:
    """Sends messages to the queue of the lane of the work at hand while that lane is there, else to the baseline's.

    client: `boto3.client("sqs")`. queue: the name of the baseline's queue. lanes: a LaneFilter of its own, with lane
    None.
    """

    def __init__(self, client: Any, queue: str, lanes: LaneFilter) -> None:
        self._client, self._queues = client, Queues(client, lanes, queue)

    def queue_url(self) -> str:
        """The URL of the queue for a message that the work at hand sends."""
        watch = self._queues.watch
        self._queues.ask(watch.to_ask_before_sending())
        return self._queues.url(watch.destination()) or self._queues.baseline_url()

    def send(self, **message: Any) -> Any:
        """Send a message with the fields of the work at hand among its attributes.

        message: as the client's `send_message` takes it, without QueueUrl. Raises what it raises.
        """
        message["MessageAttributes"] = with_attributes(message.get("MessageAttributes"))
        url, baseline = self.queue_url(), self._queues.baseline_url()
        try:
            return self._client.send_message(QueueUrl=url, **message)
        except self._client.exceptions.QueueDoesNotExist:
            if url == baseline:
                raise
            self._queues.forget(url)  # somebody has deleted it
        return self._client.send_message(QueueUrl=baseline, **message)


class LaneConsumer:
    """Receives what its lane handles: a lane's consumer from the lane's queue, the baseline's from the baseline's queue
    and from those of lanes without a live consumer.

    client: `boto3.client("sqs")`. queue: the name of the baseline's queue. lanes: a LaneFilter of its own.
    attributes: for the lane's queue, which is created where it is not there. Default: those of the baseline's, so that
    dead letters go the same way.

    A context manager: within its block a thread says every few seconds that the lane is there, or looks which are.
    """

    def __init__(
        self, client: Any, queue: str, lanes: LaneFilter, *, attributes: Mapping[str, str] | None = None
    ) -> None:
        self._client, self._queues, self._attributes = client, Queues(client, lanes, queue), attributes
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True, name="propagation-lanes-sqs")
        self._turn = 0

    def __enter__(self) -> "LaneConsumer":
        """Raises what boto3 raises."""
        if self._is_lane:
            self._queues.make_own(self._attributes)
        self._step()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def receive(self, **options: Any) -> list[dict[str, Any]]:
        """Messages of one queue, whose URL each has as `QueueUrl`, to delete it by; none where there are none now.

        options: as the client's `receive_message` takes them, without QueueUrl. All attributes are asked for. The
        baseline's waits a second at most. Raises what `receive_message` raises.
        """
        options = {"MessageAttributeNames": ["All"], **options}
        if self._is_lane:
            return self._received(self._queues.own_url(), options)
        queues = [self._queues.baseline_url(), *self._queues.taken_over]
        self._turn = (self._turn + 1) % len(queues)
        for url in queues[self._turn :] + queues[: self._turn] if len(queues) > 1 else ():
            try:
                if found := self._received(url, {**options, "WaitTimeSeconds": 0}):
                    return found
            except self._client.exceptions.QueueDoesNotExist:
                if url == queues[0]:
                    raise
                self._queues.forget(url)  # somebody has deleted a lane's
        wait = min(options.get("WaitTimeSeconds", 0), _WAIT_SECONDS)
        return self._received(queues[0], {**options, "WaitTimeSeconds": wait})

    @property
    def _is_lane(self) -> bool:
        return self._queues.watch.own != self._queues.watch.queue

    def _received(self, url: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        messages = self._client.receive_message(QueueUrl=url, **options).get("Messages", [])
        return [{**message, "QueueUrl": url} for message in messages]

    def _run(self) -> None:
        while not self._over.wait(BEAT_SECONDS if self._is_lane else LOOK_SECONDS):
            self._step()

    def _step(self) -> None:
        try:
            self._queues.beat() if self._is_lane else self._queues.look()
        except Exception as error:  # noqa: BLE001  # a step that fails must not be the last
            self._queues.watch.lanes.warnings.warn("sqs", "SQS does not say or hear which lanes are there: %s", error)
