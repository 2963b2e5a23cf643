"""One rollout: reads its state, carries out the actions that belong to it, and reports the outcome; until its end."""

import math
import traceback
from collections.abc import Callable, Iterable
from threading import Event as Signal
from typing import NamedTuple

from meshconfig.cluster import rollouts
from meshconfig.cluster.change import NotAllowedError
from meshconfig.cluster.lock import LockLost
from meshconfig.cluster.objects import UnreadableError
from meshconfig.errors import Conflict, GraylaneError
from meshconfig.rollout import store
from meshconfig.rollout.actions import Action, Analyse, Notify, Retire, Route, Scale, TakeUp, Wait, WatchPods
from meshconfig.rollout.beside import HinderedError
from meshconfig.rollout.events import Elapsed, Event, OldRetired, Report, Routed
from meshconfig.rollout.machine import IllegalEventError, resume, step
from meshconfig.rollout.runner import routing
from meshconfig.rollout.runner.admission import admit
from meshconfig.rollout.runner.context import LATER, LOOK, DedupLog, RunnerContext, foreign
from meshconfig.rollout.runner.kube_events import announce
from meshconfig.rollout.runner.measuring import Measurer
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.runner.routing import Tries
from meshconfig.rollout.runner.scaling import EVERY, PodWatch, Scaler
from meshconfig.rollout.runner.upkeep import Upkeep
from meshconfig.rollout.runner.webhooks import WebhookSender
from meshconfig.rollout.standing import CHANGED
from meshconfig.rollout.state import LogEntry, State
from meshconfig.rollout.store import InvalidSpecError, Record
from meshconfig.spec.group import LaneGroup


class Work(NamedTuple):
    """A stored rollout, with the actions that the state machine returned for its state."""

    record: Record
    actions: tuple[Action, ...]


class Worker:
    """Drives one rollout until it has ended or the driver stops.

    Parameters:
        weight: what a look at it takes, as far as that is known.
        wake: ends the worker's waiting; it is set as well when the driver stops.
    """

    def __init__(
        self, context: RunnerContext, namespace: str, name: str, weight: int = 0, wake: Signal | None = None
    ) -> None:
        self._context, self._namespace, self._name, self._weight = context, namespace, name, weight
        self._wake = wake or Signal()
        self._upkeep = Upkeep(context)
        self._measurer, self._webhooks = Measurer(context), WebhookSender(context)
        self._dedup_log = DedupLog(lambda text: context.tell(f"{name}: {text}"))
        self._tries, self._scaler, self._watch = Tries(), Scaler(context, self._dedup_log), PodWatch(context)
        self._stored: Work | None = None  # what the last look stored: it need not be read again
        self._seen: int | None = None  # the last entry of the log that was counted and published here
        self._generation: int | None = None
        self._git_is_new = True
        self._look = LOOK  # seconds until the next look, as the last action asked for it

    def see(self) -> None:
        """The rollout's object has changed."""
        self._wake.set()

    def see_git(self) -> None:
        """The LaneGroup object of its group has changed, or another rollout of the group has ended."""
        self._git_is_new = True
        self._wake.set()

    def run(self) -> None:
        """Returns when the rollout has ended or the driver stops. Errors are logged, and the work is tried again."""
        try:
            while not self._context.stop.is_set():
                self._wake.clear()
                with self._context.room.of(self._weight) as there:
                    pause = self._once() if there else None
                if pause is None:
                    return
                if pause:
                    self._stored = None  # somebody may decide in the meantime
                    self._wake.wait(None if pause == math.inf else pause)
        except LockLost:
            pass  # the controller gets this error as well, and ends its driver
        finally:
            self._measurer.close()

    def _once(self) -> float | None:
        """One look at the rollout.

        Returns:
            Seconds until the next look, infinite where a watch wakes it; None at the end.
        """
        try:
            work, self._stored = self._stored or self._read(), None
            if work is None or self._another(work.record):
                return None
            return self._work_on(work.record)
        except LockLost:
            raise
        except InvalidSpecError as error:
            self._upkeep.refuse(error)
            return None
        except UnreadableError as error:  # the driver tells it, and starts another worker once it can be read again
            self._free(error)
            return None
        except Conflict:
            return 0.0
        except HinderedError:
            self._git_is_new = True
            return LOOK
        except GraylaneError as error:
            self._dedup_log.say(routing.reason(error))
            return LATER
        except Exception:  # noqa: BLE001  a bug that one rollout meets is logged, and stops none of the others
            self._context.metrics.failed(Tried.WORKER)
            self._dedup_log.say(traceback.format_exc())
            return LATER

    def _read(self) -> Work | None:
        record = store.read(self._context.client, self._namespace, self._name)
        return Work(record, resume(record.state).actions) if record else None

    def _free(self, error: UnreadableError) -> None:
        """One that cannot be read is driven by nobody, so nothing may hold it back when it is deleted."""
        found = rollouts.bare(self._context.client, self._namespace, self._name)
        if found and found.deleting:
            self._upkeep.release(found)

    def _another(self, record: Record) -> bool:
        """Whether a new rollout of the same name has started. It gets a worker of its own."""
        self._generation = self._generation or record.state.generation
        return record.state.generation != self._generation

    def _work_on(self, record: Record) -> float | None:
        self._weight = record.weight
        if record.base and (said := foreign(self._context, record.base)):
            raise NotAllowedError(said)
        git_is_new, self._git_is_new = self._git_is_new, False
        tended = self._upkeep.tend(record, git_is_new=git_is_new)
        if tended is None:
            return None
        record, actions = tended, resume(tended.state).actions
        notices = [one for one in actions if isinstance(one, Notify)]
        self._publish(record, notices)
        if record.state.phase.final and not actions:
            return None
        told = self._webhooks.offer(record, notices)
        self._look = _pause(actions)
        work = () if _is_blocked(record.state) else actions
        reported = any(self._carry_out(record, action) for action in work)
        if told is not None:
            self._report(self._stored.record if self._stored else record, told)
            reported = True
        if reported:
            return 0.0
        return min(self._look if work else math.inf, LOOK if notices else math.inf)

    def _carry_out(self, record: Record, action: Action) -> bool:
        """Carries out an action; whether there was something to report. Then the rest of the actions is out of date."""
        if isinstance(action, TakeUp):
            return self._take_up(record)
        report = self._outcome(record, action)
        return report is not None and self._report(record, report)

    def _take_up(self, record: Record) -> bool:
        with self._context.room.admission:
            admission = admit(self._context, record)
            if admission.report is not None:
                return self._report(record, admission.report, admission.base)
            if admission.obstacle:
                self._dedup_log.say(admission.obstacle.message)
            record = self._upkeep.hinder(record, admission.obstacle)
            self._look = admission.look
            return False

    def _outcome(self, record: Record, action: Action) -> Report | None:
        match action:
            case Scale():
                return self._scaler.scale(record, action)
            case Route(change):
                return self._attempt(record, lambda: routing.apply(self._context, record, change), Routed)
            case Retire():
                return self._attempt(record, lambda: routing.retire(self._context, record, action), OldRetired)
            case Wait(until):
                return Elapsed(record.state.turn) if store.now() >= until else None
            case Analyse():
                return self._measurer.measure(record, action)
            case WatchPods():
                return self._watch.look(record, action)
            case TakeUp() | Notify():  # carried out by `_take_up`, `_publish` and the webhooks
                return None

    def _attempt(self, record: Record, change: Callable[[], None], done: type[Report]) -> Report | None:
        return routing.attempt(self._context, record, self._tries, self._dedup_log, change, done)

    def _report(self, record: Record, event: Event, base: LaneGroup | None = None) -> bool:
        """Stores the state that an event leads to, with the actions that belong to it.

        Where somebody else has stored a state in between, the event is applied to that one.

        Returns:
            False where the driver stops.
        """
        while not self._context.stop.is_set():
            self._context.held.check()
            try:
                after, actions = step(record.state, event, store.now())
            except IllegalEventError:  # somebody has decided in between
                return True
            if after == record.state:
                return True
            try:
                saved = store.save(self._context.client, record, after, base)
                self._stored, self._weight = Work(saved, actions), saved.weight
            except Conflict:
                self._stored = None
                found = store.read(self._context.client, record.namespace, record.name)
                if found is None:
                    return True
                record = found
                continue
            return True
        return False

    def _publish(self, record: Record, notices: Iterable[Notify]) -> None:
        """Counts, logs and announces each entry of the log once, whoever made it."""
        state = record.state
        numbers = {one.number for one in notices if self._seen is None or one.number > self._seen}
        for entry in state.log:
            if entry.number in numbers:
                self._context.metrics.transition(state, entry)
                self._dedup_log.say(told(entry))
                announce(self._context, record, entry)
        self._seen = state.log[-1].number if state.log else 0


def _is_blocked(state: State) -> bool:
    """Whether a person or Git has to take an obstacle away before it moves on. One that has not begun looks itself."""
    found = state.obstacle
    return bool(found and found.stalls and found.reason != CHANGED and state.sizes)


def _pause(actions: Iterable[Action]) -> float:
    """Seconds until the next look at a rollout for which there was nothing to report."""
    pause = math.inf
    for action in actions:
        match action:
            case Wait(until):
                pause = min(pause, max((until - store.now()).total_seconds(), LOOK / 10))
            case WatchPods():
                pause = min(pause, EVERY)
            case _:
                pause = min(pause, LOOK)
    return pause


def told(entry: LogEntry) -> str:
    """An entry of the log in one line."""
    why = f" ({entry.why})" if entry.why else ""
    return (
        f"{entry.action} by {entry.who}{why} → {entry.phase}, {entry.stage}, step {entry.step}, weight {entry.weight}"
    )
