"""Starts a rollout: the group that it begins from, the rollouts that it supersedes, and the reasons to refuse it."""

from dataclasses import dataclass

from meshconfig.bounded import pack
from meshconfig.cluster import history, lock
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import RevisionStatus
from meshconfig.cluster.revision import document as written
from meshconfig.cluster.rollouts import Standing
from meshconfig.cluster.workloads import live
from meshconfig.errors import ClusterError, Conflict
from meshconfig.load import Document
from meshconfig.rollout import store
from meshconfig.rollout.check import fits
from meshconfig.rollout.events import Supersede
from meshconfig.rollout.machine import IllegalEventError, allows
from meshconfig.rollout.state import pending
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Rollout

# Bytes by which a stored rollout grows: until its end by its Pods, and by a log that holds the last entries at least.
GROWTH, GROWTH_OF_A_SERVICE = 20_000, 500


class NotAppliedError(ClusterError):
    """A rollout cannot begin from this group: it is not applied completely. `busy`: somebody works on it just now."""

    def __init__(self, message: str, *, busy: bool = False) -> None:
        self.busy = busy
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Started:
    """A rollout that waits for a runner, and the names of the rollouts that it supersedes."""

    record: Record
    superseded: tuple[str, ...] = ()


def start(client: Client, rollout: Rollout, document: Document, *, who: str, note: str = "") -> Started:
    """Stores a rollout, so that a runner takes it up. Active rollouts of the same services go back first.

    Parameters:
        document: the text of the rollout, for file and line of each problem.
        who, note: for the log.

    Raises:
        InputError: it does not fit the group that is applied.
        ClusterError: it cannot begin now, or is too large to be stored. The message says why, and what to do.
    """
    namespace, name, group = rollout.metadata.namespace, rollout.metadata.name, rollout.spec.group
    before = store.read(client, namespace, name)
    if before and not before.state.phase.final:
        raise ClusterError(
            f"rollout {namespace}/{name} is {before.state.phase} already: end it by graylane rollout abort {name} "
            f"-n {namespace}, or give the new one another name"
        )
    # One that nobody can read is driven by nobody.
    others = store.records(client, namespace, group=group, standing=(Standing.ACTIVE,), wrong=lambda error: None)
    _check_others(rollout, others)
    base = next((one.base for one in others if one.base is not None), None) or applied(client, namespace, group)
    fits(rollout, base, document)
    _check_deployments(client, rollout, base)
    generation = before.state.generation + 1 if before else 1
    first = pending(rollout, who=who, now=store.now(), generation=generation, note=note)
    store.fitting(first, pack(written(base)), room=GROWTH + GROWTH_OF_A_SERVICE * len(rollout.spec.services))
    try:
        record = store.create(client, first, before)
    except Conflict:
        raise ClusterError(f"rollout {namespace}/{name} was started by somebody else at this moment") from None
    return Started(record, tuple(one.name for one in others if supersede(client, one, name, who, note)))


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


def applied(client: Client, namespace: str, group: str) -> LaneGroup:
    """The group as it was last applied.

    Raises:
        NotAppliedError: it never was, or its last change did not succeed.
    """
    past = history.read(client, namespace, group)
    last = past.last
    if past.damaged:
        raise NotAppliedError(f"nobody knows what was applied last: {past.damaged}; or run graylane apply again")
    if last is None or last.gone:
        raise NotAppliedError(f"group {namespace}/{group} is not in the cluster: run graylane apply first")
    if last.outcome is not RevisionStatus.SUCCEEDED:
        seen = last.seen(lock.holder(lock.read(client, namespace, group)))
        raise NotAppliedError(
            f"the last change of group {namespace}/{group} (revision {last.number}, {last.action}) is {seen}: "
            f"wait for it, or run graylane apply again",
            busy=seen is RevisionStatus.RUNNING,
        )
    return last.spec


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
