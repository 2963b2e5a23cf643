"""`graylane explain --topic`: whose consumers handle a message of a lane."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meshconfig.cli.common import Line
from meshconfig.errors import InputError, nearest
from meshconfig.groups import Group
from meshconfig.spec import ConsumerInGroup


@dataclass(frozen=True, slots=True)
class Handler:
    """Who handles the messages of one lane that a consumer of the spec takes.

    Parameters:
        lane: of the message; None without one.
        version, name: whose consumers handle it, and their group or queue.
        otherwise: the group or queue that does while those have no live consumer; None where they are the baseline's.
        reason: why it is those.
    """

    consumer: str
    kind: str
    topic: str
    lane: str | None
    version: str
    name: str
    otherwise: str | None
    reason: str


def handlers(
    groups: Iterable[Group], topic: str, lane: str | None, headers: Sequence[tuple[str, str]]
) -> list[Handler]:
    """Who handles a message, one answer for each consumer of the topic.

    Parameters:
        topic: a topic, or the name of a consumer.
        lane: of the message; None takes it from the tag among `headers`.

    Raises:
        InputError: no consumer has such a name or topic.
    """
    there = [group.spec.consumer(name) for group in groups for name in group.spec.spec.consumers]
    asked = [one for one in there if topic in (one.name, one.spec.topic)]
    if not asked:
        known = sorted({name for one in there for name in (one.name, one.spec.topic)})
        hint = nearest(topic, known) or (f"; there are {', '.join(known)}" if known else "; the spec has no consumers")
        raise InputError.at("--topic", f"there is no topic or consumer {topic}{hint}")
    given = lane.partition(".")[0] if lane else None
    return [_handler(one, given or _tagged(one, headers)) for one in asked]


def lines(found: Iterable[Handler]) -> Iterator[Line]:
    """The answer as text."""
    for one in found:
        what = "group" if one.kind == "kafka" else "queue"
        message = f"message of lane {one.lane}" if one.lane else "message without a lane"
        yield f"{message} on {one.topic} ({one.kind})", "bold"
        yield f"  consumer {one.consumer}: version {one.version}, {what} {one.name}: {one.reason}", ""
        if one.otherwise is not None:
            yield f"  while no consumer of {one.version} lives: {what} {one.otherwise}", ""


def _tagged(consumer: ConsumerInGroup, headers: Sequence[tuple[str, str]]) -> str | None:
    """The lane in the tag's header, whose value is LANE or LANE.GENERATION."""
    header = consumer.group.spec.tag.header
    return next((value.partition(".")[0] for name, value in headers if name.lower() == header), None)


def _handler(consumer: ConsumerInGroup, lane: str | None) -> Handler:
    spec, baseline = consumer.spec, consumer.baseline
    own = consumer.version_in(lane) if lane in consumer.group.spec.lanes and lane is not None else None
    version = own if own is not None else baseline
    is_baseline = version == baseline
    return Handler(
        consumer.name,
        spec.kind,
        spec.topic,
        lane,
        version,
        spec.versions[version].name,
        None if is_baseline else spec.versions[baseline].name,
        _reason(consumer, lane, own),
    )


def _reason(consumer: ConsumerInGroup, lane: str | None, own: str | None) -> str:
    tag = consumer.group.spec.tag.default
    if lane is None:
        return f"messages without a lane are the baseline's ({tag})"
    if lane not in consumer.group.spec.lanes:
        return f"the baseline's ({tag}), as there is no lane {lane}{nearest(lane, consumer.group.spec.lanes)}"
    if own is None:
        return f"the baseline's ({tag}), as lane {lane} has no version of {consumer.name}"
    return f"the baseline's ({tag})" if own == consumer.baseline else f"lane {lane}'s own"
