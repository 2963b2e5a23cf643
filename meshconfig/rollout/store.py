"""Rollouts in the cluster as values: read, written by compare-and-swap, and changed by what somebody decides.

What is written always fits into a ConfigMap: where it would not, the oldest entries of the log go, and then the
measurements. So no log is too full for a rollout to go back.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from meshconfig.bounded import one_line, pack
from meshconfig.cluster import rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import UnreadableError
from meshconfig.cluster.revision import document
from meshconfig.cluster.rollouts import UNFINISHED, Standing, Stored
from meshconfig.errors import ClusterError, Conflict, GraylaneError, InputError, Location, nearest
from meshconfig.rollout.events import Event
from meshconfig.rollout.machine import resume, step
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.state import State, recent, trimmed
from meshconfig.spec.base import validate
from meshconfig.spec.group import LaneGroup

ATTEMPTS = 20
OVERHEAD = 20_000  # bytes of a record in memory, beside its texts
PART = 1_000  # bytes of a step, a metric or a webhook in memory
JSON_TIMES = 200  # the bytes that a group takes while it is compiled, for each of its JSON

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """A rollout as it was read."""

    stored: Stored
    state: State

    @cached_property
    def base(self) -> LaneGroup | None:
        """The group as it was before the rollout; None until a runner takes the rollout up."""
        text = self.stored.base
        where = Location("the group that it began from")
        return validate(LaneGroup, json.loads(text), lambda path: where) if text else None

    @property
    def namespace(self) -> str:
        return self.stored.namespace

    @property
    def name(self) -> str:
        return self.stored.name

    @property
    def group(self) -> str:
        return self.stored.group

    @property
    def weight(self) -> int:
        """What it takes to work on it: the bytes of its group, as JSON, and a part of those that are stored."""
        return weight(self.stored, self.state)

    @property
    def services(self) -> frozenset[str]:
        return frozenset(self.state.rollout.spec.services)

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts rollouts: the oldest comes first."""
        return self.state.begun, self.name


def weight(one: Stored, state: State) -> int:
    parts = _parts(state) * PART // JSON_TIMES
    return len(one.base) + rollouts.size(one) // 10 + parts  # of a state, only the newest entries of its log are kept


def _parts(state: State) -> int:
    """Those of a rollout that take much more memory than text: somebody may have written any number of them."""
    spec = state.rollout.spec
    return len(spec.steps) + len(spec.notify) + (len(spec.analysis.metrics) if spec.analysis else 0)


def now() -> datetime:
    return datetime.now(UTC)


def read(client: Client, namespace: str, name: str) -> Record | None:
    """One call; None where there is no such rollout.

    Raises:
        UnreadableError: it cannot be read.
    """
    found = rollouts.read(client, namespace, name)
    with client.reading.of():
        return _record(found) if found else None


def known(client: Client, namespace: str, name: str) -> Record:
    """
    Raises:
        InputError: there is none of this name; the message names the nearest one.
    """
    if found := read(client, namespace, name):
        return found
    names = rollouts.each(client, namespace, lambda one: one.name)
    there = [one for one in names if isinstance(one, str)]
    hint = nearest(name, there) if there else "; none was ever started there"
    raise InputError.at("graylane", f"namespace {namespace} has no rollout {name}{hint}")


def records(
    client: Client,
    namespace: str,
    *,
    group: str = "",
    standing: Iterable[Standing] = Standing,
    wrong: Callable[[UnreadableError], None] | None = None,
) -> list[Record]:
    """The oldest first, as many as fit into the memory for them, each with the newest entry of its log alone. One call
    for a dozen rollouts.

    Parameters:
        wrong: gets the error of each one that cannot be read; without it the error is raised.
    """

    def take(one: Stored) -> tuple[float, int, Record]:
        state = _record(one).state
        record = Record(one, state.model_copy(update={"log": state.log[-1:]}))
        size = len(one.state) + len(one.packed) + OVERHEAD + _parts(state) * PART
        return -state.begun.timestamp(), size, record

    found = rollouts.highest(client, namespace, take, group=group, standing=standing)
    for error in found.unreadable:
        if wrong is None:
            raise error
        wrong(error)
    return sorted(found.kept.items, key=lambda one: one.age)


def newest(client: Client, namespace: str, take: Callable[[State], tuple[int, T]]) -> rollouts.Found[T]:
    """What `take` gives of each rollout, with its bytes, the oldest first: of the newest that fit into the memory for
    them. One call for a dozen rollouts."""

    def ranked(one: Stored) -> tuple[tuple[datetime, str], int, T]:
        record = _record(one)
        return (record.age, *take(record.state))

    return rollouts.highest(client, namespace, ranked)


def overviews(
    client: Client, namespace: str, memo: dict[tuple[str, str], Overview | UnreadableError]
) -> list[Overview | UnreadableError]:
    """The rollouts that a runner has something to do for. One call for a dozen rollouts.

    Parameters:
        memo: of the last call; only what was written since is parsed.
    """
    return rollouts.each(client, namespace, _overview, standing=UNFINISHED, memo=memo)


def _overview(one: Stored) -> Overview:
    state = _record(one).state
    return Overview.of(state, weight(one, state))


def turn(client: Client, namespace: str, name: str) -> int | None:
    """The turn of a rollout; None where there is no such rollout. One call.

    Raises:
        UnreadableError: it cannot be read.
    """
    found = rollouts.read(client, namespace, name)
    try:
        with client.reading.of():
            return State.from_json(recent(found.state)).turn if found else None
    except GraylaneError as error:
        raise UnreadableError(rollouts.key(namespace, name), "rollout", one_line(str(error))) from None


def save(client: Client, before: Record, state: State, base: LaneGroup | None = None) -> Record:
    """Writes the next state in place of the one that was read.

    Parameters:
        base: the group that the rollout begins from, to be kept with it.

    Raises:
        Conflict: somebody else wrote in between.
        TooLargeError: it does not fit into a ConfigMap.
    """
    kept = pack(document(base)) if base is not None else before.stored.packed
    return _written(client, replace(fitting(state, kept), version=before.stored.version))


def create(client: Client, state: State, before: Record | None) -> Record:
    """Writes a new rollout, in place of an ended one of the same name.

    Raises:
        Conflict: somebody else started one of this name in between.
        TooLargeError: it does not fit into a ConfigMap.
    """
    version = before.stored.version if before else ""
    return _written(client, replace(fitting(state, b""), version=version))


def _written(client: Client, one: Stored) -> Record:
    written = rollouts.write(client, one)
    with client.reading.of():
        return _record(written)


def say(client: Client, namespace: str, name: str, event: Event) -> State:
    """Applies an event to a rollout, and writes the state that it leads to.

    Raises:
        IllegalEventError: the event cannot happen in the rollout's stage.
        InputError: there is no such rollout.
    """
    for _ in range(ATTEMPTS):
        record = known(client, namespace, name)
        after = step(record.state, event, now()).state
        if after == record.state:
            return after
        try:
            return save(client, record, after).state
        except Conflict:  # a runner was faster: what it wrote decides whether this can still happen
            continue
    raise ClusterError(
        f"rollout {namespace}/{name} was written by others {ATTEMPTS} times in a row; nothing was changed"
    )


def standing(state: State) -> Standing:
    """What a runner has left to do for it."""
    if not state.phase.final:
        return Standing.ACTIVE
    return Standing.TELLING if resume(state).actions else Standing.ENDED


class TooLargeError(ClusterError):
    """A rollout does not fit into one ConfigMap."""


def fitting(state: State, packed: bytes, *, room: int = 0) -> Stored:
    """A state as it is stored: within the limit of a ConfigMap.

    Parameters:
        packed: the group's spec as JSON, packed.
        room: bytes to leave free.

    Raises:
        TooLargeError: the rollout and its group are too large, also without its log.
    """
    for one in trimmed(state):
        stored = _stored(one, packed)
        if (size := rollouts.size(stored) + room) <= rollouts.LARGEST:
            return stored
    metadata = state.rollout.metadata
    raise TooLargeError(
        f"rollout {metadata.namespace}/{metadata.name} is too large: it takes {size // 1000} kB with its group, and a "
        f"ConfigMap takes {rollouts.LARGEST // 1000} kB; split the group into several groups"
    )


def _stored(state: State, packed: bytes) -> Stored:
    metadata = state.rollout.metadata
    return Stored(
        namespace=metadata.namespace,
        name=metadata.name,
        group=state.rollout.spec.group,
        standing=standing(state),
        state=state.to_json(),
        shown={"phase": state.phase.value, "stage": state.stage.value, "weight": str(state.applied), "why": state.why},
        packed=packed,
    )


def _record(one: Stored) -> Record:
    """A rollout whose parts can all be read. Its group is read again when it is asked for, and not kept till then."""
    try:
        record = Record(one, State.from_json(recent(one.state)))
        # What the state asks for is looked at here, because a state that somebody edited may contradict itself.
        resume(record.state)
        _ = Record(one, record.state).base
    except Exception as error:  # noqa: BLE001  whatever is wrong with one rollout, the others are read
        reason = f"{type(error).__name__}: {error}" if not str(error) else str(error)
        raise UnreadableError(one.key, "rollout", one_line(reason)) from None
    return record
