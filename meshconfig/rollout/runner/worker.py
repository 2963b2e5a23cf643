"""Drives one rollout: reads its state, carries out its actions, stores the result, and repeats until it ends."""

import traceback

from meshconfig.cluster.lock import LockLost
from meshconfig.cluster.rollouts import Standing
from meshconfig.errors import Conflict, GraylaneError
from meshconfig.rollout import store
from meshconfig.rollout.events import Elapsed, Event, OldRetired, Report, Routed
from meshconfig.rollout.machine import IllegalEventError, step
from meshconfig.rollout.pending_actions import until
from meshconfig.rollout.runner import routing
from meshconfig.rollout.runner.admission import admit
from meshconfig.rollout.runner.context import LOOK, DedupLog, RunnerContext
from meshconfig.rollout.runner.kube_events import announce
from meshconfig.rollout.runner.measuring import Measurer
from meshconfig.rollout.runner.routing import Tries
from meshconfig.rollout.runner.scaling import Scaler, Watch
from meshconfig.rollout.runner.webhooks import WebhookSender
from meshconfig.rollout.state import LogEntry, Stage
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup

LATER = 5.0  # seconds to wait after an error


class Worker:
    """Drives one rollout until it has ended or the runner stops."""

    def __init__(self, context: RunnerContext, name: str) -> None:
        self._context, self._name = context, name
        self._measurer, self._teller = Measurer(context), WebhookSender(context)
        self._dedup_log = DedupLog(lambda text: context.tell(f"{name}: {text}"))
        self._tries, self._scaler, self._watch = Tries(), Scaler(context, self._dedup_log), Watch(context)
        self._seen: int | None = None  # number of the last log entry that this worker has counted and printed
        self._generation: int | None = None

    def run(self) -> None:
        """Returns at its end, or when the world stops; whatever goes wrong is told and tried again."""
        try:
            while not self._context.stop.is_set():
                pause = self._once()
                if pause is None:
                    return
                self._context.stop.wait(pause)
        except LockLost:
            pass  # the runner is told as well
        finally:
            self._measurer.close()

    def _once(self) -> float | None:
        """One look; the seconds until the next, None at the end."""
        try:
            record = store.read(self._context.client, self._context.namespace, self._name)
            if record is None or self._another(record):
                return None
            self._log(record)
            if store.standing(record.state) is Standing.ENDED:
                return None
            told = self._teller.offer(record)
            reported = self._tended(record)
            if told is not None:
                self._report(record, told)
            return 0.0 if reported else LOOK
        except LockLost:
            raise
        except GraylaneError as error:
            self._dedup_log.say(routing.reason(error))
            return LATER
        except Exception:  # noqa: BLE001  a mistake of ours in one rollout is told, and keeps none of the others
            self._context.metrics.failed("worker")
            self._dedup_log.say(traceback.format_exc())
            return LATER

    def _another(self, record: Record) -> bool:
        """Has one of the same name begun since? It gets a worker of its own."""
        self._generation = self._generation or record.state.generation
        return record.state.generation != self._generation

    def _tended(self, record: Record) -> bool:
        """Do what the state asks for; was there something to report?"""
        if record.state.stage is Stage.PENDING:
            taken = admit(self._context, record)
            if taken.waits:
                self._dedup_log.say(f"waits for {taken.waits}")
            return taken.report is not None and self._report(record, taken.report, taken.base)
        event = self._worked(record)
        return event is not None and self._report(record, event)

    def _worked(self, record: Record) -> Report | None:
        turn = record.state.turn
        match record.state.stage:
            case Stage.SCALE | Stage.SHRINK | Stage.PODS_BACK:
                return self._scaler.scale(record)
            case Stage.ROUTE | Stage.ROUTES_BACK | Stage.TAKE_OVER:
                return routing.attempt(self._context, record, self._tries, Routed, self._dedup_log)
            case Stage.RETIRE:
                return routing.attempt(self._context, record, self._tries, OldRetired, self._dedup_log)
            case Stage.KEEP:
                return Elapsed(turn) if store.now() >= until(record.state) else None
            case Stage.WAIT:
                return Elapsed(turn) if store.now() >= until(record.state) else self._watch.look(record)
            case Stage.ANALYSE:
                return self._measurer.measure(record) or self._watch.look(record)
            case Stage.APPROVAL:
                return self._watch.look(record)
            case _:
                return None

    def _report(self, record: Record, event: Event, base: LaneGroup | None = None) -> bool:
        """Store what becomes of the state; where somebody was faster, of what they made of it."""
        while not self._context.stop.is_set():
            self._context.held.check()
            try:
                after, _ = step(record.state, event, store.now())
            except IllegalEventError:  # somebody decided meanwhile
                return True
            if after == record.state:
                return True
            try:
                store.save(self._context.client, record, after, base)
            except Conflict:
                found = store.read(self._context.client, record.namespace, record.name)
                if found is None:
                    return True
                record = found
                continue
            return True
        return False

    def _log(self, record: Record) -> None:
        """Each entry of its log once, whoever made it."""
        state = record.state
        last = state.told if self._seen is None else self._seen
        for entry in state.log:
            if entry.number > last:
                self._context.metrics.transition(state, entry)
                self._dedup_log.say(told(entry))
                announce(self._context, record, entry)
        self._seen = state.log[-1].number if state.log else 0


def told(entry: LogEntry) -> str:
    """An entry of the log in one line."""
    why = f" ({entry.why})" if entry.why else ""
    return (
        f"{entry.action} by {entry.who}{why} → {entry.phase}, {entry.stage}, step {entry.step}, weight {entry.weight}"
    )
