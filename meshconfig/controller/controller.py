"""The controller's process: one leads by a Lease, watches tell it what changed, and workers look at groups."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconfig.cluster import lanegroups, previews, rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import namespace_ends
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.lock import Lock, LockHeld, LockLost
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.preflight import istio_version
from meshconfig.cluster.watching import Change
from meshconfig.controller.ending import release
from meshconfig.controller.metrics import GroupMetrics
from meshconfig.controller.owned import GroupKey, OwnedResources
from meshconfig.controller.previews import PreviewMetrics, Previews
from meshconfig.controller.previews import previews as lanes
from meshconfig.controller.previews.index import Plan
from meshconfig.controller.queue import WorkQueue
from meshconfig.controller.reconcile import AGAIN, BUSY, Reconciler, group_of
from meshconfig.controller.watches import Watches
from meshconfig.errors import ClusterError
from meshconfig.istio.labels import LANE
from meshconfig.model import GATEWAY_BACKEND
from meshconfig.rollout.drivers import LEASE
from meshconfig.rollout.runner import Driver
from meshconfig.rollout.runner.context import DedupLog, Settings
from meshconfig.rollout.runner.metrics import Metrics, Tried
from meshconfig.rollout.runner.routing import reason

STANDBY = 5.0  # seconds from one look at the Lease of another controller to the next
LOOK = 1.0  # seconds from one look at the own Lease to the next
WORKERS = 8  # groups that are changed at a time: most of a change is waiting for proxies
SETTLE = 0.5  # seconds until a changed resource is looked at: who edits one often edits its neighbour
BESIDE = 10.0  # the same while a rollout of the group is active, whose steps change resources all the time
GOODBYE = 20.0  # seconds that workers have to leave their plans at a safe step


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a controller works.

    Parameters:
        namespaces: of the groups; empty for all.
        home: the namespace of its Lease.
    """

    namespaces: tuple[str, ...]
    home: str

    def __str__(self) -> str:
        word = "namespace" if len(self.namespaces) == 1 else "namespaces"
        return f"{word} {', '.join(self.namespaces)}" if self.namespaces else "all namespaces"


class Controller:
    """Makes the LaneGroups of some namespaces, or of all, true.

    Parameters:
        tell: gets one line for people.
        metrics: of rollouts, whose page shows those of groups too.
    """

    def __init__(
        self, client: Client, scope: Scope, settings: Settings, *, tell: Callable[[str], None], metrics: Metrics
    ) -> None:
        self._client, self._scope, self._settings = client, scope, settings
        self._tell, self._metrics = tell, metrics
        self._groups = GroupMetrics(metrics.registry, lambda: client.calls)
        self._previews = PreviewMetrics(metrics.registry)
        self._log = DedupLog(tell)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set. No error ends it."""
        while not stop.is_set():
            self._metrics.alive()
            try:
                # The Lease guards all that workers write, but for the groups' routes, which their own Leases guard.
                client = self._client.session()
                with Lock(client, self._scope.home, LEASE, break_lock=True, tell=self._log.say) as held:
                    self._log.say(f"leads: {self._scope}")
                    self._lead(client, held, stop)
            except LockHeld as error:
                self._log.say(f"stands by: {error.holder or 'another one'} leads")
            except ClusterError as error:
                self._log.say(reason(error))
                self._release()
            except Exception:  # noqa: BLE001  a bug is logged, and the groups are looked at again
                self._metrics.failed(Tried.WORKER)
                self._log.say(traceback.format_exc())
            stop.wait(STANDBY)

    def _release(self) -> None:
        """Where the namespace of the Lease ends, nobody can lead, and what is deleted with it would stay for ever."""
        home = self._scope.home
        try:
            if (not self._scope.namespaces or home in self._scope.namespaces) and namespace_ends(self._client, home):
                release(self._client, home)
        except ClusterError as error:
            self._log.say(reason(error))
        except Exception:  # noqa: BLE001  a bug is logged, as any other here
            self._metrics.failed(Tried.WORKER)
            self._log.say(traceback.format_exc())

    def _lead(self, client: Client, held: Lock, stop: threading.Event) -> None:
        """Works while it has the Lease.

        Raises:
            ClusterError: the Lease is lost.
        """
        lead = Leadership(
            client, held, self._scope, self._settings, self._tell, self._metrics, self._groups, self._previews
        )
        with lead.working(istio_version(client)):
            while not (stop.is_set() or lead.ended.is_set()):  # a worker that has lost a Lease ends all: begin anew
                held.check()
                self._metrics.alive()
                stop.wait(LOOK)


def _no_more() -> None:
    raise LockLost("this process no longer leads")


class Asked(NamedTuple):
    """What a group's object asks for, as the watch saw it last.

    A watch that lists anew may miss that an object went and another one of its name came; both are of generation 1.
    """

    uid: str
    generation: int
    adopt: str
    deleting: bool


@dataclass(slots=True)
class Leadership:
    """What a controller does from when it gets the Lease until it loses it or stops."""

    client: Client
    held: Lock
    scope: Scope
    settings: Settings
    tell: Callable[[str], None]
    metrics: Metrics
    groups: GroupMetrics
    preview_metrics: PreviewMetrics
    ended: threading.Event = field(default_factory=threading.Event)
    queue: WorkQueue[GroupKey] = field(default_factory=WorkQueue)
    _asked: dict[GroupKey, Asked] = field(default_factory=dict)
    _elsewhere: dict[GroupKey, frozenset[str]] = field(default_factory=dict)  # of groups with other namespaces: these
    _mesh: set[GroupKey] = field(default_factory=set)  # whose spec or resources may have changed since the last look
    _ready: set[GroupKey] = field(default_factory=set)
    _beside: set[GroupKey] = field(default_factory=set)  # that have an active rollout
    _pauses: dict[GroupKey, float] = field(default_factory=dict)  # seconds, of groups whose last look failed
    _owned: OwnedResources = field(default_factory=OwnedResources)
    _previews: Previews = field(init=False)

    def __post_init__(self) -> None:
        self._previews = Previews(
            self.client,
            self.settings,
            self.ended,
            self._plan,
            lambda: self.metrics.failed(Tried.WORKER),
            self.tell,
            self.preview_metrics,
            self.scope.namespaces,
        )

    @contextmanager
    def working(self, istio_api: str) -> Iterator[None]:
        """Has all threads running for the time of the block.

        Parameters:
            istio_api: the API version of Istio's kinds that the cluster serves.
        """
        driver = Driver(self.client, self.held, self.settings, self.tell, self.metrics, self._rollout_moved)
        watches = Watches(self.client, self.scope.namespaces, istio_api, self._resource_seen, self.ended, self.tell)
        is_leaving = self._previews.index.is_leaving
        reconciler = Reconciler(
            self.client, self.settings, self._generation, is_leaving, self.ended, self.tell, self.groups
        )
        workers = [
            threading.Thread(target=self._work, args=(reconciler,), name=f"group-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        workers += [
            threading.Thread(target=self._previews.work, name=f"preview-{number}", daemon=True)
            for number in range(lanes.WORKERS)
        ]
        self._watch(watches, driver)
        for each in workers:
            each.start()
        try:
            yield
        finally:
            self.ended.set()
            self.queue.close()
            self._previews.queue.close()
            self.preview_metrics.clear()
            driver.close()
            end = time.monotonic() + GOODBYE
            for each in workers:  # watches hold nothing, and end with the process
                each.join(max(0.0, end - time.monotonic()))
            # One that still waits for the API server must not write into a status that another process keeps by then.
            self.client.guard(_no_more)
            self.groups.clear()  # another one shows them from now

    def _watch(self, watches: Watches, driver: Driver) -> None:
        def group_seen(change: Change, manifest: Manifest) -> None:
            one = GroupObject(manifest)
            became_ready = self._became_ready(change, one)  # also where the spec has changed: it is remembered
            asks = self._group_seen(change, one)
            if asks and one.backend == GATEWAY_BACKEND:
                watches.begin_of_gateway(one.places)
            if asks or became_ready:
                driver.group_seen(*group_of(one))
            if asks:  # of a plan that has made it ready, they are told by its look
                self._previews.see_group(group_of(one))

        watches.begin(lanegroups.KIND, group_seen)
        watches.begin(previews.KIND, self._previews.see)
        for name in ("Deployment", "Job"):
            watches.begin(name, self._previews.see_made, LANE)
        watches.begin(rollouts.KIND, driver.see)
        watches.begin_owned()

    def _group_seen(self, change: Change, one: GroupObject) -> bool:
        """Whether its spec has changed, or what the object asks for besides.

        What the controller itself writes, status and finalizer, changes neither: it wakes nobody.
        """
        group = group_of(one)
        if change is Change.GONE:
            self._asked.pop(group, None)
            self._elsewhere.pop(group, None)
            self.queue.forget(group)
            self.groups.forget(group)
            return True
        now = Asked(one.uid, one.generation, one.annotations.get(lanegroups.ADOPT, ""), one.deleting)
        if self._asked.get(group) == now:
            return False
        self._asked[group] = now
        self._elsewhere.pop(group, None)
        if others := one.places - {one.namespace}:
            self._elsewhere[group] = others
        self._pauses.pop(group, None)
        self._mesh.add(group)
        self.queue.add(group)
        return True

    def _became_ready(self, change: Change, one: GroupObject) -> bool:
        """Whether a group that rollouts may wait for is as its object says from now."""
        group = group_of(one)
        before = group in self._ready
        is_ready = change is Change.THERE and one.is_true("Ready") and one.observed == one.generation
        (self._ready.add if is_ready else self._ready.discard)(group)
        return is_ready and not before

    def _generation(self, group: GroupKey) -> int:
        return self._asked[group].generation if group in self._asked else 0

    def _rollout_moved(self, namespace: str, name: str) -> None:
        if (namespace, name) in self._asked:
            self.queue.add((namespace, name))

    def _plan(self, group: GroupKey, after: float) -> None:
        """Has a group planned anew, because its preview lanes have changed."""
        if group in self._asked:
            self._mesh.add(group)
            self.queue.add(group, after)

    def _resource_seen(self, change: Change, one: Manifest) -> None:
        for name in self._owned.see(change, one):
            for group in self._owners(one["metadata"]["namespace"], name):
                self._mesh.add(group)
                self.queue.add(group, BESIDE if group in self._beside else SETTLE)

    def _owners(self, namespace: str, name: str) -> list[GroupKey]:
        """The groups of a name that may have resources in a namespace. A resource's label has the name alone."""
        others = [group for group, places in tuple(self._elsewhere.items()) if group[1] == name and namespace in places]
        return [*others, *([(namespace, name)] if (namespace, name) in self._asked else [])]

    def _work(self, reconciler: Reconciler) -> None:
        while (group := self.queue.take()) is not None:
            try:
                self._look(reconciler, group)
            except LockLost:  # nobody works on; the leader's loop sees it
                self.ended.set()
                return
            except ClusterError as error:  # the object itself cannot be read
                self.tell(f"{'/'.join(group)}: {reason(error)}")
                self._mesh.add(group)
                self.queue.add(group, BUSY)
            except Exception:  # noqa: BLE001  a bug that one group meets is logged, and stops none of the others
                self.metrics.failed(Tried.WORKER)
                self.tell(f"{'/'.join(group)}: {traceback.format_exc()}")
                self._mesh.add(group)
                self.queue.add(group, AGAIN[1])
            finally:
                self.queue.done(group)

    def _look(self, reconciler: Reconciler, group: GroupKey) -> None:
        began, mesh = time.monotonic(), group in self._mesh
        if mesh:  # what another thread adds from here on is for the next look
            self._mesh.discard(group)
        look = reconciler.look(group, mesh=mesh)
        self._previews.planned(group, None if look.over is None else Plan(began, look.over, look.refused))
        (self._beside.add if look.beside else self._beside.discard)(group)
        if look.after is not None:
            self._mesh.add(group)
        if look.after is None:
            self._pauses.pop(group, None)
        elif look.failed:
            pause = self._pauses[group] = min(max(look.after, self._pauses.get(group, 0.0) * 2), AGAIN[1])
            self.queue.add(group, pause)
        else:
            self.queue.add(group, look.after)
