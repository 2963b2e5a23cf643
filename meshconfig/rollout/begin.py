"""Starts a rollout: the group that it begins from, the rollouts that it supersedes, and the reasons to refuse it."""

from dataclasses import dataclass
from typing import NamedTuple

from meshconfig.bounded import pack
from meshconfig.cluster import custom, history, lanegroups, lock, rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import RevisionStatus
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.revision import document as written
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError, Conflict, InputError
from meshconfig.load import Document
from meshconfig.rollout import beside, overlay, store
from meshconfig.rollout.check import fits
from meshconfig.rollout.events import Supersede
from meshconfig.rollout.machine import IllegalEventError, allows
from meshconfig.rollout.state import State, pending
from meshconfig.rollout.store import InvalidSpecError, Record
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout

# Bytes by which a stored rollout grows: until its end by its Pods, and by a log that holds the last entries at least.
GROWTH, GROWTH_OF_A_SERVICE = 20_000, 500


class NotAppliedError(ClusterError):
    """A rollout cannot begin from this group: it is not applied completely.

    Parameters:
        busy: somebody works on it just now.
        missing: there is no such group, or its LaneGroup object is not valid or is being deleted.
        lanegroup: what there is, is a LaneGroup object.
    """

    def __init__(self, message: str, *, busy: bool = False, missing: bool = False, lanegroup: bool = False) -> None:
        self.busy, self.missing, self.lanegroup = busy, missing, lanegroup
        super().__init__(message)


class Applied(NamedTuple):
    """A group as it is applied, and whether a LaneGroup object says so."""

    group: LaneGroup
    lanegroup: bool


@dataclass(frozen=True, slots=True)
class Started:
    """A rollout that waits for a controller, and the names of the rollouts that it supersedes."""

    record: Record
    superseded: tuple[str, ...] = ()


def start(client: Client, rollout: Rollout, document: Document, *, who: str, note: str = "") -> Started:
    """Applies a Rollout object, so that a controller takes it up. Active rollouts of the same services go back first.

    Parameters:
        document: the text of the rollout, for file and line of each problem.
        who, note: for the log.

    Raises:
        InputError: it does not fit the group that is applied.
        ClusterError: it cannot begin now, or is too large to be stored. The message says why, and what to do.
    """
    namespace, name, group = rollout.metadata.namespace, rollout.metadata.name, rollout.spec.group
    before = _before(client, namespace, name)
    if before and not before.state.phase.final:
        raise ClusterError(
            f"rollout {namespace}/{name} is {before.state.phase} already: end it by graylane rollout abort {name} "
            f"-n {namespace}, or give the new one another name"
        )
    # One that nobody can read is driven by nobody.
    others = store.records(client, namespace, group=group, active=True, wrong=lambda error: None)
    _check_others(rollout, others)
    base = next((one.base for one in others if one.base is not None), None) or applied(client, namespace, group).group
    fits(rollout, base, document)
    _check_deployments(client, rollout, base)
    first = pending(rollout, who=who, now=store.now(), note=note)
    store.fitting(first, pack(written(base)), room=GROWTH + GROWTH_OF_A_SERVICE * len(rollout.spec.services))
    record = _stored(client, first)
    return Started(record, tuple(one.name for one in others if supersede(client, one, name, who, note)))


def _before(client: Client, namespace: str, name: str) -> Record | None:
    """What there is of this name; nothing where its spec is not valid, as the new one takes its place."""
    try:
        return store.read(client, namespace, name)
    except InvalidSpecError:
        return None


def _stored(client: Client, first: State) -> Record:
    """Applies the object, and writes its first state.

    A controller that sees the object first takes it up for whoever applied it; then the log is given who it was.
    """
    metadata = first.rollout.metadata
    spec = first.rollout.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        stored = rollouts.apply(client, rollouts.manifest(metadata.namespace, metadata.name, spec))
    except Conflict as error:
        owners = "; ".join(f"{field}: {said}" for field, said in error.causes) or str(error)
        raise ClusterError(
            f"rollout {metadata.namespace}/{metadata.name} belongs to others, so change it there: {owners}"
        ) from None
    record: Record | None = store.record(stored)
    for _ in range(store.ATTEMPTS):
        if record is None:
            break
        try:
            return store.save(client, record, _first(record, first))
        except Conflict:
            record = store.read(client, metadata.namespace, metadata.name)
    raise ClusterError(f"rollout {metadata.namespace}/{metadata.name} was changed by others at this moment")


def _first(record: Record, first: State) -> State:
    """The first state of a run, or what a controller has made of that already, with who started it."""
    there = record.state
    if record.is_new or there.phase.final:
        generation = 1 if record.is_new else there.generation + 1
        return first.model_copy(update={"generation": generation, "spec_generation": record.stored.generation})
    log = (there.log[0].model_copy(update={"who": first.log[0].who, "why": first.log[0].why}), *there.log[1:])
    return there.model_copy(update={"log": log}) if there.log[0].number == 1 else there


def must_be_served(client: Client, namespace: str) -> None:
    """
    Raises:
        ClusterError: the cluster does not have the kind Rollout; with what to do. One call.
    """
    if not custom.is_served(client, rollouts.KIND):
        raise ClusterError(
            f"the cluster has no kind {rollouts.KIND} of graylane: {custom.INSTALL}; then graylane controller -n "
            f"{namespace} drives rollouts"
        )


def _check_others(rollout: Rollout, others: list[Record]) -> None:
    """Refuses a second rollout in a group, unless it is of the same services and can supersede the first one."""
    for one in others:
        named = f"rollout {one.name} of group {one.group} is {one.state.phase}"
        if not one.services & set(rollout.spec.services):
            how = f"wait for its end, or: graylane rollout abort {one.name} -n {one.namespace}"
            raise ClusterError(f"{named}, and one at a time may change a group; {how}")
        if not allows(one.state, Supersede):
            raise ClusterError(f"{named} ({one.state.stage}), from where there is no way back; wait for its end")


def _check_deployments(client: Client, rollout: Rollout, base: LaneGroup) -> None:
    for service, move in rollout.spec.services.items():
        for version in (move.from_, move.to):
            name = live.deployment(base, service, version)
            if live.read(client, name) is None:
                raise ClusterError(
                    f"there is no {name}, for {version} of {service}; graylane version add … --image makes one"
                )


def applied(client: Client, namespace: str, group: str) -> Applied:
    """The group as it was last applied, with what succeeded rollouts made of it.

    Raises:
        NotAppliedError: it never was, or its last change did not succeed.
    """
    if found := lanegroups.read(client, namespace, group):
        return Applied(overlay.settled(_ready(found), beside.laid(client, namespace, group)), True)
    past = history.read(client, namespace, group)
    last = past.last
    if past.damaged:
        raise NotAppliedError(f"nobody knows what was applied last: {past.damaged}; or run graylane apply again")
    if last is None or last.gone:
        said = f"group {namespace}/{group} is not in the cluster: run graylane apply first"
        raise NotAppliedError(said, missing=True)
    if last.outcome is not RevisionStatus.SUCCEEDED:
        seen = last.seen(lock.holder(lock.read(client, namespace, group)))
        raise NotAppliedError(
            f"the last change of group {namespace}/{group} (revision {last.number}, {last.action}) is {seen}: "
            f"wait for it, or run graylane apply again",
            busy=seen is RevisionStatus.RUNNING,
        )
    return Applied(last.spec, False)


def _ready(found: GroupObject) -> LaneGroup:
    """The spec of a LaneGroup object that the controller has applied."""
    if found.deleting:
        raise NotAppliedError(f"{found.key} is being deleted", missing=True, lanegroup=True)
    try:
        spec = found.spec()
    except InputError as error:
        said = "; ".join(f"{one.path}: {one.message}" for one in error.problems)
        raise NotAppliedError(f"{found.key} is not valid: {said}", missing=True, lanegroup=True) from None
    if found.observed < found.generation or not found.is_true("Ready"):
        why = str(found.condition("Ready").get("message") or "no controller has looked at it")
        raise NotAppliedError(f"{found.key} is not applied: {why}", busy=True, lanegroup=True)
    return spec


def supersede(client: Client, older: Record, by: str, who: str, note: str = "") -> bool:
    """Sends an older rollout back, unless it is going back already.

    Returns:
        False where it has ended, or cannot go back any more.
    """
    if older.state.stage.going_back:
        return True
    try:
        state = store.say(client, older.namespace, older.name, Supersede(who, note, by=by))
    except IllegalEventError:
        return False
    return state.stage.going_back
