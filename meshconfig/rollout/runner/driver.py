"""Drives all rollouts that a controller watches, each in a thread of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread

from meshconfig.cluster import rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock
from meshconfig.cluster.objects import Key, Manifest, UnreadableError, key
from meshconfig.cluster.rollouts import RolloutObject
from meshconfig.cluster.watching import Change
from meshconfig.rollout import store
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.runner.context import DedupLog, RunnerContext, Settings
from meshconfig.rollout.runner.metrics import Metrics, Tried
from meshconfig.rollout.runner.room import Room
from meshconfig.rollout.runner.upkeep import is_unseen, needs_work
from meshconfig.rollout.runner.worker import Worker
from meshconfig.rollout.store import InvalidSpecError

MOST = 100  # rollouts that are driven at a time: each has a thread
GOODBYE = 20.0  # seconds that the workers have to end their current work


@dataclass(frozen=True, slots=True)
class Known:
    """A rollout that was seen.

    Parameters:
        standing: what its group depends on; another one is told to the controller.
        overview: None where it cannot be read.
        works: there may be something to do for it.
    """

    group: str
    standing: object
    overview: Overview | None
    works: bool

    @property
    def begun(self) -> datetime:
        """Sorts them: the oldest comes first, and before them those that nobody can read, which take no time."""
        return self.overview.begun if self.overview else datetime.min.replace(tzinfo=UTC)


class Driver:
    """Drives rollouts from when the controller leads until `close`. Any thread may call its methods; none waits long.

    Parameters:
        held: the Lease of the controller. Nothing is written without it.
        tell: gets one line for people.
        changed: is called with the namespace and the name of a group whose rollouts have begun, moved or ended.
    """

    def __init__(
        self,
        client: Client,
        held: Lock,
        settings: Settings,
        tell: Callable[[str], None],
        metrics: Metrics,
        changed: Callable[[str, str], object],
    ) -> None:
        self._stop = Event()
        self._context = RunnerContext(client, settings, held, self._stop, tell, metrics, Room(self._stop))
        self._changed = changed
        self._full_log = DedupLog(tell)
        self._lock = threading.RLock()
        self._known: dict[Key, Known] = {}
        self._due: set[Key] = set()  # to be looked at by a worker that begins after now
        self._workers: dict[Key, tuple[Worker, Thread]] = {}
        self._unreadable: dict[Key, str] = {}  # what was told of each rollout that cannot be read
        metrics.leading(True)
        tell("drives rollouts")

    def see(self, change: Change, rollout: Manifest) -> None:
        """Takes what a watch of the kind Rollout gives."""
        name = key(rollout)
        now = None if change is Change.GONE else self._look(name, rollout)
        with self._lock:
            before = self._known.pop(name, None)
            if now:
                self._known[name] = now
            if not now or not now.overview or now.overview.phase.final:
                self._see_group(name.namespace, before.group if before else "")  # another one may begin now
            self._context.metrics.states([one.overview for one in self._known.values() if one.overview and one.works])
            self._due.discard(name)
            if now and now.works:
                self._due.add(name)
            if found := self._workers.get(name):
                found[0].see()
            self._fill()
        for group in {one.group for one in (before, now) if one and one.group}:
            if not before or not now or before.standing != now.standing:
                self._changed(name.namespace, group)

    def group_seen(self, namespace: str, name: str) -> None:
        """The LaneGroup object has changed, or it is gone: has its rollouts look at it."""
        with self._lock:
            self._see_group(namespace, name)
            self._fill()

    def close(self) -> None:
        """Has the workers end what they are at, and waits for them. Nothing is driven any more."""
        self._stop.set()
        with self._lock:
            found = list(self._workers.values())
        for worker, _ in found:
            worker.see()
        end = time.monotonic() + GOODBYE
        for _, thread in found:
            thread.join(max(0.0, end - time.monotonic()))
        self._context.metrics.leading(False)

    def _look(self, name: Key, manifest: Manifest) -> Known:
        """What an object shows. One that cannot be read is told once, until it is something else."""
        try:
            record = store.seen(self._context.client, manifest)
        except UnreadableError as error:
            stored = RolloutObject(manifest)
            invalid = isinstance(error, InvalidSpecError)
            if self._unreadable.get(name) != str(error):
                self._unreadable[name] = str(error)
                self._context.metrics.failed(Tried.STATE)
                self._context.tell(str(error))
            frees = stored.deleting and rollouts.FINALIZER in stored.finalizers
            return Known("", str(error), None, frees or (invalid and is_unseen(stored)))
        self._unreadable.pop(name, None)
        state = record.state
        standing = state.generation, state.turn, state.applied, state.applied_taken, state.done, record.stored.deleting
        return Known(record.group, standing, Overview.of(state, record.weight), needs_work(record))

    def _see_group(self, namespace: str, group: str) -> None:
        for one, known in self._known.items():
            if known.works and (one.namespace, known.group) == (namespace, group):
                self._due.add(one)
                if found := self._workers.get(one):
                    found[0].see_git()

    def _fill(self) -> None:
        """Starts a worker for each rollout that asks for something and has none, the oldest first."""
        if self._stop.is_set():
            return
        new = sorted(self._due - self._workers.keys(), key=lambda one: (self._known[one].begun, one))
        for one in new[: max(0, MOST - len(self._workers))]:
            self._due.discard(one)
            overview = self._known[one].overview
            worker = Worker(self._context, one.namespace, one.name, overview.weight if overview else 0)
            thread = Thread(target=self._drive, args=(one, worker), name=f"rollout-{one.name}", daemon=True)
            self._workers[one] = worker, thread
            thread.start()
        if waiting := len(self._due - self._workers.keys()):
            self._full_log.say(f"{waiting} rollouts wait: a controller drives {MOST} at a time, the oldest first")

    def _drive(self, one: Key, worker: Worker) -> None:
        """Thread: drives one rollout, and then whichever waits."""
        try:
            worker.run()
        finally:
            with self._lock:
                del self._workers[one]
                self._fill()
