"""Kafka: how a lane's group and the baseline's share a topic, so that one of them handles a message. Pure.

Both groups read every partition. Of a lane's messages, those at offsets in a *span* are its group's, all others the
baseline's. The member of the baseline's group that owns a partition opens and ends spans there. It keeps them in the
metadata of the offset that it commits: the broker stores both as one, and takes them from the owner only.

A span opens at an offset that no member of the baseline's group has passed, when the lane's consumers are seen. It ends
in two steps. First the owner of the partition in the *lane's* group stops: it commits, as metadata, the span's number
and the offset that it stopped at. Then the baseline's owner ends the span there, or where it is itself, whichever is
later. What lies between is still the lane's group's.

While a lane has no consumer, the baseline's processes join the lane's group as *stand-ins*. They go on from its
committed offsets, and the broker gives each of its partitions to one member.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from propagation.messaging.lanes.roster import Roster

Partition = tuple[str, int]  # a topic and the number of its partition
STAND_IN = "graylane-stand-in"  # how the client.id of a stand-in begins, by which others tell it from a lane's consumer
FIRST_SECONDS = 4.0  # for another process to be the first stand-in in a group
_MARK = "graylane/1 "
_LARGEST_NUMBER = 2**63 - 1
_LARGEST = 4096  # bytes of metadata that a broker takes by default (offset.metadata.max.bytes)


class Span(NamedTuple):
    """Offsets of one partition at which the messages of `lanes` are for a lane's group.

    number: rises from span to span of a group; start: the first offset; end: the first that is no longer the group's,
    None while the span is open. lanes: sorted.
    """

    number: int
    start: int
    end: int | None
    lanes: tuple[str, ...]

    def contains(self, offset: int) -> bool:
        """Whether the span has this offset."""
        return offset >= self.start and (self.end is None or offset < self.end)


Spans = Mapping[str, tuple[Span, ...]]  # by group


class Stop(NamedTuple):
    """The lane's group hands out no message of spans up to `number` from offset `at` on, but for ended ones."""

    number: int
    at: int


class Committed(NamedTuple):
    """What a group has committed for a partition: an offset, None without one, and metadata."""

    offset: int | None = None
    metadata: str = ""


def write_spans(spans: Spans) -> str:
    """Spans as the metadata of a committed offset; empty where there are none."""
    found = {group: [list(span) for span in listed] for group, listed in spans.items() if listed}
    return _MARK + json.dumps(found, separators=(",", ":")) if found else ""


def read_spans(metadata: str | None) -> dict[str, tuple[Span, ...]]:
    """Reads what `write_spans` wrote. What somebody else wrote has none."""
    read = _marked(metadata)
    try:
        return {_named(group): tuple(_span(*one) for one in listed) for group, listed in read.items()}
    except (TypeError, AttributeError, ValueError):
        return {}


def write_stop(stop: Stop | None) -> str:
    """A stop as the metadata of a committed offset."""
    return "" if stop is None else _MARK + json.dumps(stop)


def read_stop(metadata: str | None) -> Stop | None:
    """Reads what `write_stop` wrote. What somebody else wrote is none."""
    try:
        number, at = _marked(metadata)
        return Stop(_number(number), _number(at))
    except (TypeError, ValueError):
        return None


def _marked(metadata: str | None) -> Any:
    # confluent-kafka sends the zero that ends a string in C with it.
    text = (metadata or "").rstrip("\0")
    if not text.startswith(_MARK):
        return {}
    try:
        return json.loads(text.removeprefix(_MARK))
    except (ValueError, RecursionError):
        return {}


def _span(number: Any, start: Any, end: Any, lanes: Any) -> Span:
    listed = tuple(_named(lane) for lane in lanes)
    return Span(_number(number), _number(start), None if end is None else _number(end), listed)


def _number(value: Any) -> int:
    """An offset or the number of a span. Raises ValueError: a client cannot seek to infinity, nor beyond 64 bits."""
    if type(value) is not int or not 0 <= value <= _LARGEST_NUMBER:
        raise ValueError(f"not a number of 63 bits: {value!r}")
    return value


def _named(value: Any) -> str:
    """The name of a group or lane. Raises TypeError and ValueError for what clients do not take as one."""
    if not isinstance(value, str):
        raise TypeError(f"not a name: {value!r}")
    value.encode()
    return value


@dataclass(frozen=True)
class View:
    """What a look at the roster and the broker found; it may be old when it is used.

    present: by lane's group, whether consumers of the lane itself are members; a group of which nothing is known is
    missing. left: by partition, the spans that the baseline's group has committed. reached: by lane's group and
    partition, what it has committed; a group that could not be asked is missing. served: the groups whose members have
    partitions.
    """

    roster: Roster | None = None
    present: Mapping[str, bool] = field(default_factory=dict)
    left: Mapping[Partition, Spans] = field(default_factory=dict)
    reached: Mapping[str, Mapping[Partition, Committed]] = field(default_factory=dict)
    served: Collection[str] = ()

    def lanes_of(self, group: str) -> tuple[str, ...]:
        """The lanes whose messages are meant for this group."""
        names = {} if self.roster is None else self.roster.names
        return tuple(sorted(lane for lane, name in names.items() if name == group))

    def groups(self) -> set[str]:
        """Every lane's group that is meant to be there, or has spans."""
        meant = self.roster.lane_names if self.roster else frozenset()
        return set(meant).union(*self.left.values())

    def unfinished(self, group: str) -> bool:
        """Whether there are messages, or may be, that this group alone handles."""
        return any(_is_unfinished(self, group, partition, spans) for partition, spans in self.left.items())


def looked(before: View, roster: Roster | None, offsets: Mapping[Partition, Committed] | None) -> View:
    """The beginning of a look, which tells what groups to ask for.

    before: the last view. offsets: what the baseline's group has committed; None where it could not be asked.
    """
    left = before.left if offsets is None else {one: read_spans(now.metadata) for one, now in offsets.items()}
    return View(roster, left=left)


def _is_unfinished(view: View, group: str, partition: Partition, spans: Spans) -> bool:
    reached = view.reached.get(group, {}).get(partition, Committed()).offset or 0
    return any(span.end is None or span.end > reached for span in spans.get(group, ()))


def is_stand_in(client_id: str) -> bool:
    """Whether a member of a lane's group is a stand-in of the baseline's, and no consumer of the lane."""
    return client_id.startswith(STAND_IN)


def stand_ins(view: View, joined: Collection[str]) -> set[str]:
    """The groups that a process of the baseline is to be a stand-in in.

    joined: those that it is in. Where it is not known whether a group's own consumers are there, it stays as it is.
    """
    wanted = {group for group in view.groups() if view.present.get(group) is False and view.unfinished(group)}
    unknown = {group for group in joined if group not in view.present or group not in view.reached}
    return wanted | unknown


class StandIns:
    """The groups that one process of the baseline is a stand-in in, by look after look.

    Kafka has the first member of an empty group wait (`group.initial.rebalance.delay.ms`, 3 seconds by default), and
    once more where others come meanwhile. So one process begins: that which owns a first partition. The others
    come when it has partitions, or where it has not come for a while.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}  # by group, since when another process is to begin

    def wanted(self, view: View, joined: Collection[str], first: bool) -> set[str]:
        """The groups to be a stand-in in now. joined: those that it is in. first: whether it owns a first partition."""
        found, now = stand_ins(view, joined), self._clock()
        self._since = {group: self._since.get(group, now) for group in found.difference(joined)}
        waited = {group for group, since in self._since.items() if now - since >= FIRST_SECONDS}
        return {group for group in found if first or group in joined or group in view.served or group in waited}


def changed_spans(
    spans: Spans, view: View, partition: Partition, decided: int, redelivered: int, committable: int
) -> dict[str, tuple[Span, ...]]:
    """The spans of a partition of the baseline's group after a look: finished ones gone, stopped ones ended, new ones.

    decided: the first offset that this owner has not passed. redelivered: an offset up to which owners before it may
    have handled messages that they did not commit. committable: the offset that the group would go on from.
    """
    found = dict(spans)
    for group in sorted(view.groups() | set(spans)):
        if group not in view.reached:
            continue
        reached = view.reached[group].get(partition, Committed())
        listed = _ended(found.get(group, ()), reached, decided, committable)
        if not any(span.end is None for span in listed) and view.present.get(group):
            listed = (*listed, *_opened(group, found | {group: listed}, view, reached, max(decided, redelivered)))
        found[group] = listed
        if len(write_spans(found).encode()) > _LARGEST:  # the lane waits until other spans are finished
            found[group] = listed[:-1]
    return {group: listed for group, listed in found.items() if listed}


def _ended(spans: Iterable[Span], reached: Committed, decided: int, committable: int) -> tuple[Span, ...]:
    stop = read_stop(reached.metadata)
    ended = [
        span._replace(end=max(span.start, decided, stop.at))
        if span.end is None and stop is not None and stop.number >= span.number
        else span
        for span in spans
    ]
    # Neither group will read what lies in a finished span again.
    finished = min(reached.offset or 0, committable)
    return tuple(span for span in ended if span.end is None or span.end > finished)


def _opened(group: str, spans: Spans, view: View, reached: Committed, start: int) -> tuple[Span, ...]:
    lanes = view.lanes_of(group)
    others = [span for listed in spans.values() for span in listed if set(span.lanes) & set(lanes)]
    if not lanes or any(span.end is None for span in others):
        return ()  # a lane that moves from one group to another waits until the first has stopped
    stop = read_stop(reached.metadata)
    number = 1 + max([stop.number if stop else 0, *(span.number for span in spans[group])])
    return (Span(number, max([start, *(span.end or 0 for span in others)]), None, lanes),)
