"""Rollouts in the cluster as values: read, written by compare-and-swap, and changed by what somebody decides.

What is written always fits into an object: where it would not, the oldest entries of the log go, and then the
measurements. So no log is too full for a rollout to go back.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

from meshconfig.bounded import one_line, pack
from meshconfig.cluster import rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.conditions import Condition, stalled, written
from meshconfig.cluster.objects import Manifest, UnreadableError
from meshconfig.cluster.revision import document
from meshconfig.cluster.rollouts import RolloutObject
from meshconfig.errors import ClusterError, Conflict, InputError, Location, nearest
from meshconfig.rollout import standing
from meshconfig.rollout.events import Event
from meshconfig.rollout.machine import resume, step
from meshconfig.rollout.state import Phase, State, UnreadableStateError, pending, recent, trimmed
from meshconfig.spec import API_VERSION
from meshconfig.spec.base import validate
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout

ATTEMPTS = 20
OVERHEAD = 20_000  # bytes of a record in memory, beside its texts
PART = 1_000  # bytes of a step, a metric or a webhook in memory
JSON_TIMES = 200  # the bytes that a group takes while it is compiled, for each of its JSON

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """A rollout as it was read. One without a state is one that somebody has just started, by applying the object."""

    stored: RolloutObject
    state: State

    @cached_property
    def base(self) -> LaneGroup | None:
        """The group as it was before the rollout; None until a controller takes the rollout up."""
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
        return self.state.rollout.spec.group

    @property
    def is_new(self) -> bool:
        """Whether its state is not written yet."""
        return not self.stored.state

    @property
    def weight(self) -> int:
        """What it takes to work on it: the bytes of its group, as JSON, and a part of those that are stored."""
        parts = _parts(self.state) * PART // JSON_TIMES
        # Of a state, only the newest entries of its log are kept.
        return len(self.stored.base) + self.stored.size // 10 + parts

    @property
    def services(self) -> frozenset[str]:
        return frozenset(self.state.rollout.spec.services)

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts rollouts: the oldest comes first."""
        return self.state.begun, self.name

    @property
    def spec_changed(self) -> bool:
        """Whether somebody has changed the spec since the rollout began.

        Raises:
            InvalidSpecError: the spec is another one, and not valid.
        """
        if self.stored.generation <= self.state.spec_generation:
            return False
        return asked(self.stored).spec != self.state.rollout.spec


class InvalidSpecError(UnreadableError):
    """The spec of a Rollout object is not valid. Others count without it.

    Parameters:
        stored: the object.
        reason: each problem, with its field.
    """

    def __init__(self, stored: RolloutObject, reason: str) -> None:
        self.stored, self.reason = stored, reason
        ClusterError.__init__(self, f"{stored.key}: {reason}")
        self.key = stored.key


def asked(stored: RolloutObject) -> Rollout:
    """The rollout that an object's spec asks for.

    Raises:
        InvalidSpecError: it is not valid.
    """
    metadata = {"name": stored.name, "namespace": stored.namespace}
    spec = stored.manifest.get("spec")
    value = {"apiVersion": API_VERSION, "kind": rollouts.KIND, "metadata": metadata, "spec": spec}
    where = Location("")
    try:
        return validate(Rollout, value, lambda path: where)
    except InputError as error:
        raise InvalidSpecError(stored, "; ".join(f"{one.path}: {one.message}" for one in error.problems)) from None


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
        return record(found) if found else None


def seen(client: Client, manifest: Manifest) -> Record:
    """A rollout from an object that a watch gives. No call.

    Raises:
        UnreadableError: it cannot be read.
    """
    with client.reading.of():
        return record(rollouts.parse(manifest))


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
    active: bool = False,
    counts: Callable[[State], bool] = lambda state: True,
    wrong: Callable[[UnreadableError], None] | None = None,
) -> list[Record]:
    """The oldest first, as many as fit into the memory for them, each with the newest entry of its log alone. One call
    for a dozen rollouts.

    Parameters:
        active: leave out those that have ended.
        counts: by its state, whether one is wanted.
        wrong: gets the error of each one that cannot be read; without it the error is raised.
    """

    def take(one: RolloutObject) -> tuple[float, int, Record] | None:
        state = record(one).state
        if not counts(state):
            return None
        kept = Record(one, state.model_copy(update={"log": state.log[-1:]}))
        return -state.begun.timestamp(), one.size + OVERHEAD + _parts(state) * PART, kept

    found = rollouts.highest(client, namespace, take, group=group, active=active)
    for error in found.unreadable:
        if wrong is None:
            raise error
        wrong(error)
    return sorted(found.kept.items, key=lambda one: one.age)


def newest(client: Client, namespace: str, take: Callable[[State], tuple[int, T]]) -> rollouts.Found[T]:
    """What `take` gives of each rollout, with its bytes, the oldest first: of the newest that fit into the memory for
    them. One call for a dozen rollouts."""

    def ranked(one: RolloutObject) -> tuple[tuple[datetime, str], int, T]:
        found = record(one)
        return (found.age, *take(found.state))

    return rollouts.highest(client, namespace, ranked)


def turn(client: Client, namespace: str, name: str) -> tuple[int, int] | None:
    """The generation and the turn of a rollout; None where there is no such rollout. One call.

    Raises:
        UnreadableError: it cannot be read.
    """
    found = rollouts.read(client, namespace, name)
    if found is None:
        return None
    try:
        with client.reading.of():
            # A change under way asks each second: the group, which may be large, is not read for it.
            state = State.from_json(recent(found.state)) if found.state else record(found).state
    except UnreadableStateError as error:
        raise UnreadableError(found.key, "rollout", one_line(str(error))) from None
    return state.generation, state.turn


def save(client: Client, before: Record, state: State, base: LaneGroup | None = None) -> Record:
    """Writes the next state in place of the one that was read.

    Parameters:
        base: the group that the rollout begins from, to be kept with it.

    Raises:
        Conflict: somebody else wrote in between.
        TooLargeError: it does not fit into an object.
    """
    begun = state.generation == before.state.generation  # else it begins anew, from another group
    packed = pack(document(base)) if base is not None else before.stored.packed if begun else b""
    if base is None and begun and state.phase is Phase.SUCCEEDED:  # what to commit is said of no other
        base = before.base
    said = standing.conditions(state, base)
    status = {**fitting(state, packed), **_observed(before.stored, said)}
    written = rollouts.write(client, before.stored, status)
    with client.reading.of():
        return record(written)


def refuse(client: Client, stored: RolloutObject, reason: str) -> None:
    """Says in the status of an object that its spec is not valid. What is there of an ended rollout is kept.

    Raises:
        Conflict: somebody else wrote in between.
    """
    said = stalled(standing.INVALID, f"{reason}; nothing was changed")
    rollouts.write(client, stored, {**stored.status, **_observed(stored, said)})


def _observed(stored: RolloutObject, said: tuple[Condition, ...]) -> Mapping[str, Any]:
    return {
        "observedGeneration": stored.generation,
        "conditions": written(said, stored.conditions, stored.generation, now()),
    }


def say(
    client: Client, namespace: str, name: str, event: Event, check: Callable[[State], None] = lambda state: None
) -> State:
    """Applies an event to a rollout, and writes the state that it leads to.

    Parameters:
        check: is called with the state that the event is applied to; what it raises leaves the rollout as it is.

    Raises:
        IllegalEventError: the event cannot happen in the rollout's stage.
        InputError: there is no such rollout.
    """
    for _ in range(ATTEMPTS):
        found = known(client, namespace, name)
        check(found.state)
        after = step(found.state, event, now()).state
        if after == found.state:
            return after
        try:
            return save(client, found, after).state
        except Conflict:  # a controller was faster: what it wrote decides whether this can still happen
            continue
    raise ClusterError(
        f"rollout {namespace}/{name} was written by others {ATTEMPTS} times in a row; nothing was changed"
    )


class TooLargeError(ClusterError):
    """A rollout does not fit into one object."""


def fitting(state: State, packed: bytes, *, room: int = 0) -> dict[str, Any]:
    """A status with a state: within the limit of an object.

    Parameters:
        packed: the group's spec as JSON, packed.
        room: bytes to leave free.

    Raises:
        TooLargeError: the rollout and its group are too large, also without its log.
    """
    for one in trimmed(state):
        status = {**standing.shown(one), "state": one.to_json()}
        if packed:
            status["base"] = base64.b64encode(packed).decode()
        if (size := len(json.dumps(status, ensure_ascii=False).encode()) + room) <= rollouts.LARGEST:
            return status
    metadata = state.rollout.metadata
    raise TooLargeError(
        f"rollout {metadata.namespace}/{metadata.name} is too large: it takes {size // 1000} kB with its group, and an "
        f"object takes {rollouts.LARGEST // 1000} kB; split the group into several groups"
    )


def record(one: RolloutObject) -> Record:
    """A rollout whose parts can all be read. Its group is read again when it is asked for, and not kept till then.

    Raises:
        UnreadableError: it cannot be read; InvalidSpecError for a spec that is not valid, where there is no state yet.
    """
    try:
        if not one.state:
            return Record(one, _started(one))
        found = Record(one, State.from_json(recent(one.state)))
        # What the state asks for is looked at here, because a state that somebody edited may contradict itself.
        resume(found.state)
        _ = Record(one, found.state).base
    except InvalidSpecError:
        raise
    except Exception as error:  # noqa: BLE001  whatever is wrong with one rollout, the others are read
        reason = f"{type(error).__name__}: {error}" if not str(error) else str(error)
        raise UnreadableError(one.key, "rollout", one_line(reason)) from None
    return found


def _started(one: RolloutObject) -> State:
    """The state of a rollout that somebody started by applying the object."""
    at = datetime.fromisoformat(str(one.metadata["creationTimestamp"]))
    return pending(asked(one), who=one.manager, now=at, spec_generation=one.generation)
