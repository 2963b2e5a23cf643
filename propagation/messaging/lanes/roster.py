"""Who is meant to be there, as graylane writes it from a spec's `consumers`: JSON, in a ConfigMap or a file.

    {"baseline": "prod", "consumers": {
      "orders": {"kind": "kafka", "topic": "orders", "lanes": {"prod": "orders", "gray": "orders.gray"}}}}

`lanes` names the consumer group (Kafka) or queue (RabbitMQ, SQS) whose consumers handle a lane's messages. Several
lanes may share one. A lane that is not listed has no consumers of its own.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from propagation.errors import ConfigError, nearest

KINDS = ("kafka", "rabbitmq", "sqs")
_LANES = 1000  # of one consumer: each look asks the broker for each
_NAME_BYTES = 249  # as Kafka has it for topics; RabbitMQ takes 255, of which ".alive" needs some
_SHOWN = 60  # characters of what was read, in an error; its names are shown ten at a time


@dataclass(frozen=True)
class Roster:
    """Who is meant to consume one topic.

    consumer: the name in the spec's `consumers`. kind: "kafka", "rabbitmq" or "sqs". topic: Kafka's topic, RabbitMQ's
    exchange or base queue, SQS's base queue. baseline: the lane of messages without a tag. names: by lane, the group or
    queue of its consumers; the baseline has one.

    Raises ConfigError where the baseline has no name.
    """

    consumer: str
    kind: str
    topic: str
    baseline: str
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.baseline not in self.names:
            raise ConfigError(
                f"consumers.{_plain(self.consumer)}.lanes: the baseline, {_shown(self.baseline)}, is missing"
            )

    @property
    def baseline_name(self) -> str:
        """The group or queue of the baseline's consumers."""
        return self.names[self.baseline]

    def name(self, lane: str | None) -> str:
        """The group or queue that is meant for a lane's messages; the baseline's for a lane without consumers."""
        return self.names.get(lane or self.baseline, self.baseline_name)

    @property
    def lane_names(self) -> frozenset[str]:
        """The groups or queues of lanes beside the baseline."""
        return frozenset(self.names.values()) - {self.baseline_name}


def parse(text: str | bytes, consumer: str | None = None) -> Roster:
    """The roster of one consumer, from the JSON that graylane writes.

    consumer: its name; may be left out where the text has only one.

    Raises ConfigError, naming the field and what belongs there.
    """
    try:
        read = json.loads(text)
    except ValueError as error:  # also what is not UTF-8
        raise ConfigError(f"not JSON: {error}") from None
    except RecursionError:
        raise ConfigError("not JSON that graylane writes: nested too deeply") from None
    consumers = _mapping(_mapping(read, "the document").get("consumers"), "consumers")
    name = _chosen(consumers, consumer)
    path = f"consumers.{_plain(name)}"
    given = _mapping(consumers[name], path)
    lanes = _mapping(given.get("lanes"), f"{path}.lanes")
    if len(lanes) > _LANES:
        raise ConfigError(f"{path}.lanes: at most {_LANES} lanes, not {len(lanes)}")
    return Roster(
        name,
        _kind(given.get("kind"), f"{path}.kind"),
        _text(given.get("topic"), f"{path}.topic"),
        _text(read.get("baseline"), "baseline"),
        {lane: _text(group, f"{path}.lanes.{_plain(lane)}") for lane, group in lanes.items()},
    )


def _chosen(consumers: Mapping[str, Any], name: str | None) -> str:
    if name is None and len(consumers) == 1:
        return next(iter(consumers))
    if name is None:
        raise ConfigError(f"consumers: name one of {_listed(consumers) or '(there are none)'}")
    if name not in consumers:
        near = nearest(name, sorted(consumers)[:_LANES])
        hint = f"; did you mean {_shown(near)}?" if near else f"; there are {_listed(consumers) or 'none'}"
        raise ConfigError(f"consumers: no {_shown(name)}{hint}")
    return name


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: takes a mapping, not {_shown(value)}")
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: takes a name, not {_shown(value)}")
    # Clients raise, for a name that is no UTF-8 or too long, wherever they meet it; half a pair of surrogates is none.
    if not value.isprintable() or len(value.encode(errors="replace")) > _NAME_BYTES:
        raise ConfigError(f"{path}: takes a name of at most {_NAME_BYTES} printable bytes, not {_shown(value)}")
    return value


def _kind(value: Any, path: str) -> str:
    if value not in KINDS:
        raise ConfigError(f"{path}: takes one of {', '.join(KINDS)}, not {_shown(value)}")
    return str(value)


def _shown(value: Any) -> str:
    return _cut(repr(value))


def _plain(name: str) -> str:
    """A name within a line of an error: no line breaks and nothing else that a terminal obeys, and not too long."""
    return _cut(name if name.isprintable() else ascii(name))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join([*map(_plain, found[:10]), *(["..."] if len(found) > 10 else [])])
