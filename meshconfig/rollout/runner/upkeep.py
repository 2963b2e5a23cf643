"""What belongs to a Rollout object rather than to the steps of the rollout: its first state, its finalizer, a spec that
was changed, its deletion, and what Git says meanwhile."""

from dataclasses import dataclass

from meshconfig.bounded import clip
from meshconfig.cluster import custom
from meshconfig.cluster.client import Client
from meshconfig.cluster.rollouts import FINALIZER, MIGRATED, RolloutObject
from meshconfig.rollout import beside, store
from meshconfig.rollout.events import Rollback
from meshconfig.rollout.machine import allows, resume, step
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.kube_events import announce_obstacle
from meshconfig.rollout.standing import CHANGED, INVALID
from meshconfig.rollout.state import LONGEST_WHY, Obstacle, Phase, State, pending
from meshconfig.rollout.store import InvalidSpecError, Record
from meshconfig.rollout.transitions import GRAYLANE


def needs_work(record: Record) -> bool:
    """Whether there is something to do for a rollout, as far as its object shows it."""
    if record.stored.deleting and FINALIZER not in record.stored.finalizers:
        return False
    if record.is_new and MIGRATED in record.stored.annotations:
        return False
    state = record.state
    undone = state.phase is Phase.SUCCEEDED and not state.done
    if not state.phase.final or resume(state).actions or undone or FINALIZER in record.stored.finalizers:
        return True
    try:
        return record.spec_changed
    except InvalidSpecError:
        return is_unseen(record.stored)


def is_unseen(stored: RolloutObject) -> bool:
    return stored.observed < stored.generation


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Keeps one object in order. Each method gives the rollout as it is after that."""

    context: RunnerContext

    def tend(self, record: Record, *, git_is_new: bool) -> Record | None:
        """
        Parameters:
            git_is_new: the LaneGroup object may be another one than at the last look.

        Returns:
            None where nothing is left to do.

        Raises:
            Conflict: somebody else wrote in between.
            ClusterError: it cannot be read or written.
        """
        if not needs_work(record):
            return None
        if record.stored.deleting:
            return self._deleted(record)
        if record.state.phase.final:
            return self._ended(record)
        if FINALIZER not in record.stored.finalizers:
            record = Record(custom.add_finalizer(self._client, record.stored, FINALIZER), record.state)
        if record.is_new:
            record = store.save(self._client, record, record.state)
        if record.base is None:
            return self._waiting(record)
        return self.hinder(record, self._obstacle(record, git_is_new=git_is_new))

    def hinder(self, record: Record, obstacle: Obstacle | None) -> Record:
        """Notes what keeps an active rollout; None for nothing."""
        if obstacle == record.state.obstacle:
            return record
        record = store.save(self._client, record, record.state.model_copy(update={"obstacle": obstacle}))
        if obstacle and obstacle.stalls:
            announce_obstacle(self.context, record.stored, obstacle)
        return record

    def refuse(self, error: InvalidSpecError) -> None:
        """Says in the object's status, and by an Event, that its spec is not valid."""
        stored = error.stored
        if stored.deleting:
            self.release(stored)
        elif is_unseen(stored):
            store.refuse(self._client, stored, error.reason)
            announce_obstacle(self.context, stored, Obstacle(reason=INVALID, message=error.reason))

    def release(self, stored: RolloutObject) -> None:
        """Takes the finalizer away, so that the object may go."""
        if FINALIZER in stored.finalizers:
            custom.drop_finalizer(self._client, stored, FINALIZER)

    @property
    def _client(self) -> Client:
        return self.context.client

    def _ended(self, record: Record) -> Record | None:
        if self._begins_anew(record):
            self._begin_anew(record)
            return None  # the new one gets a worker of its own
        state = record.state
        if state.phase is Phase.SUCCEEDED and not state.done and beside.is_done(self._client, record):
            record = store.save(self._client, record, state.model_copy(update={"done": True}))
        if FINALIZER in record.stored.finalizers:
            record = Record(custom.drop_finalizer(self._client, record.stored, FINALIZER), record.state)
        return record

    def _waiting(self, record: Record) -> Record | None:
        """One that has not begun takes up whatever spec there is."""
        if self._begins_anew(record):
            self._begin_anew(record)
            return None
        return record

    def _begins_anew(self, record: Record) -> bool:
        try:
            return record.spec_changed
        except InvalidSpecError as error:
            self.refuse(error)
            return False

    def _begin_anew(self, record: Record) -> None:
        first = pending(
            store.asked(record.stored),
            who=record.stored.manager,
            now=store.now(),
            generation=record.state.generation + 1,
            spec_generation=record.stored.generation,
        )
        store.save(self._client, record, first)

    def _obstacle(self, record: Record, *, git_is_new: bool) -> Obstacle | None:
        found = record.state.obstacle
        if record.state.stage.going_back:
            found = None
        elif git_is_new or (found and found.reason != CHANGED):
            found = beside.obstacle(self._client, record)
        return found if found and found.reason != CHANGED else _changed(record)

    def _deleted(self, record: Record) -> Record | None:
        """An active rollout goes back first, unless there is nothing to go back in."""
        state = record.state
        over = state.phase.final and not resume(state).actions
        if (
            over
            or record.is_new
            or beside.group_is_gone(self._client, record)
            or custom.namespace_ends(self._client, record.namespace)
        ):
            self.release(record.stored)
            return None
        if state.phase.final or state.stage.going_back or not allows(state, Rollback):
            return record
        after = step(state, Rollback(GRAYLANE, "the Rollout is deleted"), store.now()).state
        return store.save(self._client, record, _without_obstacle(after))


def _without_obstacle(state: State) -> State:
    return state.model_copy(update={"obstacle": None})


def _changed(record: Record) -> Obstacle | None:
    """An active rollout goes on with the spec that it began with."""
    try:
        wrong = "" if record.spec_changed else None
    except InvalidSpecError as error:
        wrong = f" ({error.reason})"
    if wrong is None:
        return None
    name = f"{record.name} -n {record.namespace}"
    said = (
        f"the spec was changed while it is active, so it goes on with the one that it began with{wrong}: give it the "
        f"former spec, or: graylane rollout abort {name}"
    )
    return Obstacle(reason=CHANGED, message=clip(said, LONGEST_WHY))
