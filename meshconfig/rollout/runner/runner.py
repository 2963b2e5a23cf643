"""The runner of a namespace. Of several runners one works, and the others stand by."""

import threading
import time
import traceback
from collections.abc import Callable, Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock, LockHeld
from meshconfig.cluster.objects import Key, UnreadableError
from meshconfig.errors import ClusterError
from meshconfig.rollout import store
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.runner.context import LOOK, DedupLog, RunnerContext, Settings
from meshconfig.rollout.runner.metrics import Metrics, Tried
from meshconfig.rollout.runner.room import Room
from meshconfig.rollout.runner.routing import reason
from meshconfig.rollout.runner.worker import Worker

LEASE = "rollouts.runner"  # its dot keeps it apart from a group's Lease: the name of a group has none
STANDBY = 2.0  # seconds from one look at the Lease of another runner to the next
MOST = 100  # rollouts that a runner drives at a time: each has a thread
GOODBYE = 20.0  # seconds that the workers have to end their current work


class Runner:
    """Drives the active rollouts of a namespace, each in a thread of its own.

    Parameters:
        namespace: of the rollouts.
        tell: gets one line for people.
        metrics: for Prometheus; without them it makes its own.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        settings: Settings | None = None,
        *,
        tell: Callable[[str], None] = lambda line: None,
        metrics: Metrics | None = None,
    ) -> None:
        self._client, self._namespace, self._settings = client, namespace, settings or Settings()
        self._tell, self.metrics = tell, metrics or Metrics()
        self._dedup_log = DedupLog(tell)
        self._full_log = DedupLog(tell)
        self._unreadable: dict[Key, str] = {}  # what was told of each rollout that cannot be read
        self._memo: dict[tuple[str, str], Overview | UnreadableError] = {}

    def run(self, stop: threading.Event) -> None:
        """Drives rollouts until `stop` is set. No error ends it."""
        while not stop.is_set():
            self.metrics.alive()
            try:
                # An expired Lease is watched for its whole duration before it is taken, so that nobody has it twice.
                # The Lease guards all that workers write, but for the groups' routes, which their own Leases guard.
                client = self._client.session()
                with Lock(client, self._namespace, LEASE, break_lock=True, tell=self._dedup_log.say) as held:
                    self._dedup_log.say(f"drives the rollouts of {self._namespace}")
                    self.metrics.leading(True)
                    self._lead(client, held, stop)
            except LockHeld as error:
                self._dedup_log.say(f"stands by: {error.holder or 'another one'} drives them")
            except ClusterError as error:
                self._dedup_log.say(reason(error))
            except Exception:  # noqa: BLE001  a bug is logged, and the rollouts are looked at again
                self.metrics.failed(Tried.WORKER)
                self._dedup_log.say(traceback.format_exc())
            finally:
                self.metrics.leading(False)
            stop.wait(STANDBY)

    def _lead(self, client: Client, held: Lock, stop: threading.Event) -> None:
        """Works while it has the Lease.

        Raises:
            ClusterError: the Lease is lost.
        """
        ended = threading.Event()
        context = RunnerContext(
            client, self._namespace, self._settings, held, ended, self._tell, self.metrics, Room(ended)
        )
        workers: dict[str, threading.Thread] = {}
        try:
            while not stop.is_set():
                held.check()
                self._look(context, workers)
                self.metrics.alive()
                stop.wait(LOOK)
        finally:
            ended.set()
            end = time.monotonic() + GOODBYE
            for worker in workers.values():
                worker.join(max(0.0, end - time.monotonic()))

    def _look(self, context: RunnerContext, workers: dict[str, threading.Thread]) -> None:
        """Starts a worker for each rollout that asks for something and has none."""
        try:
            read = store.overviews(self._client, self._namespace, self._memo)
        except ClusterError as error:
            self._dedup_log.say(reason(error))
            return
        self._tell_unreadable(one for one in read if isinstance(one, UnreadableError))
        found = sorted((one for one in read if isinstance(one, Overview)), key=lambda one: one.begun)
        self.metrics.states(found)
        for name in [name for name, thread in workers.items() if not thread.is_alive()]:
            del workers[name]
        new = [one for one in found if one.name not in workers]
        for one in new[: max(0, MOST - len(workers))]:
            worker = Worker(context, one.name, one.weight)
            thread = threading.Thread(target=worker.run, name=f"rollout-{one.name}", daemon=True)
            workers[one.name] = thread
            thread.start()
        if waiting := len([one for one in new if one.name not in workers]):
            self._full_log.say(f"{waiting} rollouts wait: a runner drives {MOST} at a time, the oldest first")

    def _tell_unreadable(self, wrong: Iterable[UnreadableError]) -> None:
        """Counts and tells each one once, until it can be read again or is something else."""
        now = {error.key: str(error) for error in wrong}
        for key, said in now.items():
            if self._unreadable.get(key) != said:
                self.metrics.failed(Tried.STATE)
                self._tell(said)
        self._unreadable = now
