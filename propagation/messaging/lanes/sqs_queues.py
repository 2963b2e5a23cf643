"""What the tags of SQS's queues tell of messages by lane.

SQS does not say who consumes. A lane's consumers write a tag of the lane's queue every few seconds; the baseline's
consumers and the producers read it. Rights: of a lane's consumer `sqs:TagQueue`, and for a queue that is not there
`sqs:CreateQueue` and `sqs:GetQueueAttributes`; of the others `sqs:ListQueueTags`, of the baseline's `sqs:ListQueues`.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.watch import QueueWatch

AWAY = (BotoCoreError, ClientError)
ALIVE_TAG = "graylane-alive"  # of a lane's queue: when a consumer wrote it, in seconds since 1970
BASELINE_TAG = "graylane-baseline"  # of a lane's queue: the baseline's
BEAT_SECONDS = 3.0  # between two heartbeats
LOOK_SECONDS = 1.5  # between two looks for heartbeats
_FRESH_SECONDS = 10.0  # the age of a heartbeat that this process did not see change, by the clocks of two machines
_FIFO = ".fifo"  # what the name of a FIFO queue ends with
_COPIED = frozenset(
    (
        "ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue FifoThroughputLimit"
        " KmsDataKeyReusePeriodSeconds KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod Policy"
        " ReceiveMessageWaitTimeSeconds RedrivePolicy SqsManagedSseEnabled VisibilityTimeout"
    ).split()
)


class Queues:
    """The baseline's queue and those of lanes, by name, and who consumes from them.

    queue: the name of the baseline's.
    """

    def __init__(self, client: Any, lanes: LaneFilter, queue: str) -> None:
        self._stem, suffix = (queue.removesuffix(_FIFO), _FIFO) if queue.endswith(_FIFO) else (queue, "")
        self.watch = QueueWatch(lanes, queue, f"{self._stem}-{{lane}}{suffix}")
        self._client = client
        self._urls: dict[str, str] = {}
        self._heartbeats: dict[str, str] = {}
        self.taken_over: tuple[str, ...] = ()  # URLs of the lanes' queues that had no live consumer at the last look
        self._foreign: set[str] = set()  # URLs that begin as a lane's do, of queues that are none

    def url(self, name: str) -> str | None:
        """The URL of a queue; None where there is no such queue.

        Raises what boto3 raises.
        """
        if name not in self._urls:
            try:
                self._urls[name] = self._client.get_queue_url(QueueName=name)["QueueUrl"]
            except self._client.exceptions.QueueDoesNotExist:
                return None
        return self._urls[name]

    def baseline_url(self) -> str:
        """The URL of the baseline's queue. Raises what boto3 raises, also where there is no such queue."""
        return self._existing(self.watch.queue)

    def own_url(self) -> str:
        """The URL of this consumer's queue."""
        return self._existing(self.watch.own)

    def forget(self, url: str) -> None:
        """The queue is not there any more."""
        self._urls = {name: one for name, one in self._urls.items() if one != url}
        self.taken_over = tuple(one for one in self.taken_over if one != url)

    def make_own(self, attributes: Mapping[str, str] | None) -> None:
        """Create the lane's queue, unless it is there, with these attributes, by default the baseline's.

        Raises what boto3 raises.
        """
        name = self.watch.own
        if self.url(name) is None:
            if attributes is None:
                answer = self._client.get_queue_attributes(QueueUrl=self.baseline_url(), AttributeNames=["All"])
                attributes = {key: value for key, value in answer["Attributes"].items() if key in _COPIED}
            self._urls[name] = self._client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def beat(self) -> None:
        """Say that a consumer of the lane's queue is there. Raises what boto3 raises."""
        tags = {ALIVE_TAG: f"{time.time():.3f}", BASELINE_TAG: self.watch.queue}
        self._client.tag_queue(QueueUrl=self.own_url(), Tags=tags)

    def look(self) -> None:
        """Ask which lanes' queues there are, and who is there. Raises what boto3 raises."""
        if self.watch.is_register_due():
            self.watch.registered = frozenset(self._left_behind())
        self.ask(self.watch.to_ask())
        urls = [self.url(name) for name in sorted(self.watch.taken_over())]
        self.taken_over = tuple(url for url in urls if url is not None)

    def ask(self, names: Iterable[str]) -> None:
        """Ask who consumes from these lanes' queues. Of an SQS that does not answer, a warning is logged."""
        for name in names:
            try:
                if (url := self.url(name)) is not None:
                    self.watch.told(name, self._is_alive(name, self._tags(url).get(ALIVE_TAG, "")))
            except self._client.exceptions.QueueDoesNotExist:
                self._urls.pop(name, None)  # somebody has deleted it
            except AWAY as error:
                self.watch.lanes.warnings.warn("ask", "cannot ask for the consumers of %s: %s", name, error)

    def _is_alive(self, name: str, heartbeat: str) -> bool:
        """Whether a heartbeat is a new one; of the first that is read, the clocks have to tell."""
        before = self._heartbeats.get(name)
        self._heartbeats[name] = heartbeat
        return heartbeat != before if before is not None else _age(heartbeat) < _FRESH_SECONDS

    def _left_behind(self) -> Iterable[str]:
        """The names of the lanes' queues that there are, whatever the roster says."""
        pages = self._client.get_paginator("list_queues").paginate(QueueNamePrefix=f"{self._stem}-")
        for url in (url for page in pages for url in page.get("QueueUrls", ())):
            name = url.rpartition("/")[2]
            if name in self.watch.lane_queues or self._is_lanes(url):
                self._urls[name] = url
                yield name

    def _is_lanes(self, url: str) -> bool:
        if url not in self._foreign and self._tags(url).get(BASELINE_TAG) != self.watch.queue:
            self._foreign.add(url)
        return url not in self._foreign

    def _existing(self, name: str) -> str:
        return self.url(name) or str(self._client.get_queue_url(QueueName=name)["QueueUrl"])

    def _tags(self, url: str) -> Mapping[str, str]:
        tags: Mapping[str, str] = self._client.list_queue_tags(QueueUrl=url).get("Tags") or {}
        return tags


def _age(heartbeat: str) -> float:
    """Seconds since a heartbeat was written, by this machine's clock and its writer's."""
    try:
        return abs(time.time() - float(heartbeat))
    except ValueError:
        return float("inf")
