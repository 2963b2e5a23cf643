"""Checks of a spec's consumers: versions, and the names that their broker takes."""

import re
from collections.abc import Iterator

from meshconfig.load import FieldPath
from meshconfig.spec import ConsumerInGroup

# Kafka: `Topic.LEGAL_CHARS`, 249 characters; a consumer group's id is free. SQS: Quotas, "Queue name".
_KAFKA_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_SQS_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_SQS_WORDS = "letters, digits, - and _, at most 80, and .fifo at the end of a FIFO queue"


def problems(consumer: ConsumerInGroup) -> Iterator[tuple[FieldPath, str]]:
    """What keeps a consumer from compiling, each as the path of the field and what is wrong with it."""
    spec, where = consumer.spec, ("spec", "consumers", consumer.name)
    baseline = consumer.group.spec.tag.default
    if baseline in consumer.group.spec.lanes and consumer.version_in(baseline) is None:
        message = f"messages without a tag have no version: give one of the baseline {baseline}"
        yield (*where, "versions"), message
    if spec.kind == "kafka" and not _KAFKA_TOPIC.fullmatch(spec.topic):
        yield (*where, "topic"), f"{spec.topic} is no topic of Kafka: letters, digits, ., _ and -, at most 249"
    if spec.kind == "sqs" and not _SQS_QUEUE.fullmatch(spec.topic):
        yield (*where, "topic"), f"{spec.topic} is no queue of SQS: {_SQS_WORDS}"
    seen: dict[str, str] = {}
    for version, one in spec.versions.items():
        at = (*where, "versions", version)
        if spec.kind == "sqs" and not _SQS_QUEUE.fullmatch(one.name):
            yield at, f"{one.name} is no queue of SQS: {_SQS_WORDS}"
        elif spec.kind == "sqs" and one.name.endswith(".fifo") != spec.topic.endswith(".fifo"):
            yield at, f"{one.name} and the topic {spec.topic} have to be both FIFO queues, or neither"
        if (first := seen.setdefault(one.name, version)) != version:
            kind = "group" if spec.kind == "kafka" else "queue"
            yield at, f"version {first} has the {kind} {one.name} already: a {kind} takes the messages of one version"
