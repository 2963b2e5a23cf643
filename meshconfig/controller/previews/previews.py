"""The workers of preview lanes, and what wakes them, for the time of one leadership."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import LockLost
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.previews import PreviewObject
from meshconfig.cluster.watching import Change
from meshconfig.controller.owned import GroupKey
from meshconfig.controller.previews import leftover, look, made
from meshconfig.controller.previews.index import LaneKey, Plan, PreviewIndex
from meshconfig.controller.previews.look import PreviewLooker
from meshconfig.controller.previews.metrics import PreviewMetrics
from meshconfig.controller.queue import WorkQueue
from meshconfig.errors import ClusterError
from meshconfig.istio.labels import LANE
from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.routing import reason

WORKERS = 4  # Lanes that are looked at at a time: a look takes some calls, and waits for nothing
SETTLE = 0.2  # seconds until a Lane is looked at whose Pods have changed: several of them change together
LONGEST = 300.0  # seconds between two looks at what does not get ready


@dataclass(slots=True)
class Previews:
    """
    Parameters:
        ended: is set when the leadership ends.
        plan: has a group planned anew, so many seconds later at the latest.
        failed: counts an error that is a bug.
        tell: gets one line for the log.
        namespaces: those whose Lanes are watched; empty for all.
    """

    client: Client
    settings: Settings
    ended: threading.Event
    plan: Callable[[GroupKey, float], object]
    failed: Callable[[], object]
    tell: Callable[[str], None]
    metrics: PreviewMetrics
    namespaces: tuple[str, ...] = ()
    index: PreviewIndex = field(default_factory=PreviewIndex)
    queue: WorkQueue[LaneKey] = field(default_factory=WorkQueue)
    _pauses: dict[LaneKey, float] = field(default_factory=dict)
    _ready: set[LaneKey] = field(default_factory=set)  # by their last look
    _phases: dict[LaneKey, str] = field(default_factory=dict)
    _looker: PreviewLooker = field(init=False)  # one for all workers: they share the lock of who gets the last place

    def __post_init__(self) -> None:
        self._looker = PreviewLooker(self.client, self.settings, self.index, self.plan, self.tell, self.metrics)

    def see(self, change: Change, manifest: Manifest) -> None:
        """Takes what a watch of the kind Lane gives."""
        one = PreviewObject(manifest)
        key = (one.namespace, one.name)
        known = self.index.group(key)  # what has gone between two lists is told without its spec
        ended = self.index.ends(key)
        changed = self.index.see(change, one)
        before = self._phases.pop(key, "")
        if change is Change.GONE:
            self.queue.forget(key)
            self.metrics.forget(key)
            self._ready.discard(key)
            if known:
                self._wake(known)  # one that waits for room may come in
                if not ended:  # somebody took its finalizer off
                    self.plan(known, look.SETTLE)
            self.queue.add(key, SETTLE)  # for what is left of it
            return
        self._phases[key] = one.phase
        self.metrics.see(one)
        if one.phase == "Failed" != before:  # it leaves its place to the next one
            self._wake((one.namespace, one.group))
        if changed:
            self._pauses.pop(key, None)
            self.queue.add(key)

    def see_made(self, change: Change, manifest: Manifest) -> None:
        """Takes what a watch of Deployments or Jobs with a lane's label gives."""
        name = (manifest["metadata"].get("labels") or {}).get(LANE, "")
        is_ready = change is Change.THERE and made.has_its_pods(manifest)
        lanes = self.index.named(name)
        if change is Change.THERE and manifest["kind"] == "Deployment":
            namespace, _ = leftover.lane_of(manifest)
            is_mine = namespace and (not self.namespaces or namespace in self.namespaces)
            if is_mine and (namespace, name) not in lanes:  # its Lane may be gone without its end
                self.queue.add((namespace, name), SETTLE)
        for key in lanes:
            self._pauses.pop(key, None)
            # One whose Pods are ready does not wait until many others are made.
            self.queue.add(key, SETTLE, urgent=is_ready)

    def see_group(self, group: GroupKey) -> None:
        """A LaneGroup object has changed, or it is gone."""
        for key in self.index.of_group(group):
            self.queue.add(key)

    def planned(self, group: GroupKey, plan: Plan | None) -> None:
        """A look at a group has ended.

        Parameters:
            plan: None where it has not made the group so.
        """
        if plan:
            self.index.planned(group, plan)
        self._wake(group, plan)

    def _wake(self, group: GroupKey, plan: Plan | None = None) -> None:
        """Has the Lanes of a group looked at that are not ready, or that a plan does not have any more."""
        for key in self.index.of_group(group):
            if key not in self._ready or (plan and key[1] not in plan.over):
                self.queue.add(key)

    def work(self) -> None:
        """Looks at Lanes until the queue is closed. For a thread of its own."""
        while (lane := self.queue.take()) is not None:
            try:
                self._look(lane)
            except LockLost:  # nobody works on; the leader's loop sees it
                self.ended.set()
                return
            except ClusterError as error:  # the object cannot be read, or its status not be written
                self.tell(f"Lane {'/'.join(lane)}: {reason(error)}")
                self._later(lane, look.BUSY)
            except Exception:  # noqa: BLE001  a bug that one Lane meets is logged, and stops none of the others
                self.failed()
                self.tell(f"Lane {'/'.join(lane)}: {traceback.format_exc()}")
                self.queue.add(lane, LONGEST)
            finally:
                self.queue.done(lane)

    def _look(self, lane: LaneKey) -> None:
        looked = self._looker.look(lane)
        (self._ready.add if looked.ready else self._ready.discard)(lane)
        if looked.left is not None:
            self.queue.add(lane, looked.left)
        if looked.after is None:
            self._pauses.pop(lane, None)
        elif looked.longer:
            self._later(lane, looked.after)
        else:
            self.queue.add(lane, looked.after)

    def _later(self, lane: LaneKey, after: float) -> None:
        """Has a Lane looked at again after a pause that grows: an account may have lost its rights for good."""
        pause = self._pauses[lane] = min(max(after, self._pauses.get(lane, 0.0) * 2), LONGEST)
        self.queue.add(lane, pause)
