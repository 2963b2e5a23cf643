"""One look at a group: what its object says becomes true by a plan of `graylane apply`, or its status says why not."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from threading import Event

from meshconfig.cluster import custom, lanegroups
from meshconfig.cluster.barrier import Progress
from meshconfig.cluster.change import (
    Choices,
    Events,
    NotAllowedError,
    OtherBackendError,
    Prepared,
    Wanted,
    Watcher,
    carry_out,
)
from meshconfig.cluster.client import Client
from meshconfig.cluster.conditions import Condition, ready, reconciling, stalled
from meshconfig.cluster.lanegroups import FINALIZER, GroupObject
from meshconfig.cluster.lock import LockHeld, LockLost
from meshconfig.cluster.objects import BlockedError
from meshconfig.cluster.plan import Step
from meshconfig.compile import compile_group
from meshconfig.controller import drift
from meshconfig.controller.ending import end
from meshconfig.controller.metrics import GroupMetrics
from meshconfig.controller.moving import mover
from meshconfig.controller.owned import GroupKey
from meshconfig.controller.reporter import WAITING, Reporter
from meshconfig.errors import ClusterError, Conflict, GraylaneError, InputError, Location, Unreachable
from meshconfig.preview.aside import culprits
from meshconfig.preview.overlay import Routed
from meshconfig.rollout import beside
from meshconfig.rollout.overlay import Overlay
from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.routing import reason
from meshconfig.spec import LaneGroup

BUSY = 3.0  # seconds until the next look where somebody else works on the group, or the API server does not answer
SOON = 0.5  # seconds until the next look after a plan was left; what made it leave wakes the group at once, too
PATIENCE = 5.0  # seconds that a barrier may take before a preview lane that leaves has the group planned anew
AGAIN = 5.0, 300.0  # seconds until the next look after a change was refused: the first time, and at most


class NewerSpecError(GraylaneError):
    """The group's spec has changed while a plan for an older one was under way; or the controller stops."""


class DriftReported(GraylaneError):  # noqa: N818  what happened, as people say it
    """The mesh differs from the spec, and the spec says to report that and to change nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look.

    Parameters:
        after: seconds until the next one; None if an event will tell.
        failed: it has to wait longer each time.
        beside: a rollout of the group is active, and changes the mesh by itself.
        over: the preview lanes that the group has been made with, by name; None where it has not been made so.
        refused: why others were left out.
    """

    after: float | None = None
    failed: bool = False
    beside: bool = False
    over: Mapping[str, Routed] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Reconciler:
    """Looks at groups, each by one thread at a time.

    Parameters:
        generation: gives the generation of a group's object that the watch has seen last; 0 where it is gone.
        stop: is set when the controller stops or has lost its Lease.
        is_leaving: whether one of some preview lanes of a namespace is being deleted.
        tell: gets one line for the log.
    """

    client: Client
    settings: Settings
    generation: Callable[[GroupKey], int]
    is_leaving: Callable[[str, Collection[str]], bool]
    stop: Event
    tell: Callable[[str], None]
    metrics: GroupMetrics

    def look(self, group: GroupKey, *, mesh: bool) -> Look:
        """Looks at a group once, however long its plan takes.

        Parameters:
            mesh: the spec or the mesh may have changed, and not only a rollout of the group.

        Raises:
            LockLost: the controller has lost its Lease.
        """
        one = lanegroups.read(self.client, *group)
        if one is None:
            self.metrics.forget(group)
            return Look()
        reporter = Reporter(self.client, one, self.tell)
        try:
            if one.deleting:
                return self._end(one, reporter)
            if FINALIZER not in one.finalizers:
                one = custom.add_finalizer(self.client, one, FINALIZER)
            return self._make_so(one, reporter, mesh)
        except (NewerSpecError, Conflict):  # somebody wrote the object: the next look reads what
            return Look(SOON)
        except LockLost:
            raise
        except LockHeld as error:
            reporter.settled(reconciling("Locked", f"{error.holder or 'somebody'} changes the group just now"))
            return Look(BUSY)
        except Unreachable as error:
            self.tell(f"{one.key}: {reason(error)}")
            return Look(BUSY)
        except (ClusterError, InputError) as error:  # such as of a group that is half moved to another backend
            return self._failed(one, reporter, error)

    def _make_so(self, one: GroupObject, reporter: Reporter, mesh: bool) -> Look:
        try:
            spec = one.spec()
            compile_group(spec, lambda path: Location(str(one.key)))
            laid = beside.overlaid(self.client, spec)
            # What only a rollout has moved is applied by the rollout: two that do it would wait for each other's lock.
            applied = one.observed == one.generation and one.is_true("Ready")
            if laid.active and laid.contradiction is None and applied and not mesh:
                return self._is_so(one, reporter, laid, one.revision)
            return self._apply(one, reporter, spec, laid)
        except InputError as error:
            if isinstance(error, OtherBackendError) and (who := mover(self.client, one.key.namespace, one.key.name)):
                reporter.settled(reconciling("Moving", f"{who} moves the group to another backend just now"))
                return Look(BUSY)
            said = reason(error)
            reporter.settled(stalled("InvalidSpec", said))
            reporter.event("Warning", "InvalidSpec", said)
            self.metrics.ready(group_of(one), False, stalled=True)
            return Look()

    def _apply(self, one: GroupObject, reporter: Reporter, spec: LaneGroup, laid: Overlay) -> Look:
        """Makes the group so, without the preview lanes that would keep it from succeeding."""
        aside: dict[str, str] = {}
        while True:
            change = _Change(self, one, spec, reporter, laid)
            try:
                look = self._carry_out(change, spec, laid, aside)
            except BlockedError as error:
                planned = change.laid or laid
                aside |= culprits(error, planned.spec, planned.lanes)
                laid = beside.overlaid(self.client, spec, aside)
                continue
            # No watch tells when what was in the way has gone.
            return replace(look, after=AGAIN[0], failed=True) if aside.keys() & look.refused.keys() else look

    def _carry_out(self, change: "_Change", spec: LaneGroup, laid: Overlay, aside: Mapping[str, str]) -> Look:
        """
        Raises:
            BlockedError: maybe because of a preview lane, without which the group could be made so.
        """
        one, reporter = change.one, change.reporter

        def renewed(wanted: Wanted) -> Wanted:
            """With the lanes that became ready until the lock was held: they would wait for all of this plan."""
            nonlocal laid
            laid = change.laid = beside.overlaid(self.client, spec, aside)
            return _wanted(one, laid)

        try:
            result = carry_out(self.client, _wanted(one, laid), change.choices, change.watcher, renewed)
        except DriftReported as error:
            reporter.event("Warning", "Drift", str(error))
            drifted = Condition("Drifted", True, "Drift", str(error))
            reporter.settled((*ready("Applied", "the spec was applied"), drifted))
            # Drift is of a spec that was applied completely, with these lanes, whoever led then.
            return Look(over=laid.previews, refused=laid.refused)
        if result.revision is not None:
            reporter.event("Normal", "Applied", f"revision {result.revision} in {result.seconds:.1f} s")
            self.metrics.applied(group_of(one), result.seconds)
        last = result.prepared.past.last
        look = self._is_so(one, reporter, laid, result.revision or (last.number if last else None))
        return replace(look, over=laid.previews, refused=laid.refused)

    def _is_so(self, one: GroupObject, reporter: Reporter, laid: Overlay, revision: int | None) -> Look:
        agrees = laid.contradiction is None
        self.metrics.ready(group_of(one), agrees, stalled=not agrees)
        more = {"revision": revision, "lanes": list(laid.spec.spec.lanes), "rollouts": list(laid.rollouts) or None}
        if laid.contradiction:
            reporter.settled(stalled("ContradictsRollout", laid.contradiction), **more)
            return Look()
        said = f"revision {revision} is at every proxy" if revision else "there is nothing to route"
        over = f", with rollout {' and '.join(laid.rollouts)} over it" if laid.rollouts else ""
        reporter.settled(ready("Applied", said + over), **more)
        return Look(beside=laid.active is not None)

    def _end(self, one: GroupObject, reporter: Reporter) -> Look:
        if FINALIZER not in one.finalizers:  # somebody else's finalizer is left: the routes have gone
            return Look(over={})
        reporter.settled(reconciling("Deleting", "the routes are taken away, before anything else"))
        change = _Change(self, one, None, reporter)
        end(self.client, one, change.choices, change.watcher)
        custom.drop_finalizer(self.client, one, FINALIZER)
        self.metrics.forget(group_of(one))
        self.tell(f"{one.key}: deleted")
        return Look(over={})

    def _failed(self, one: GroupObject, reporter: Reporter, error: GraylaneError) -> Look:
        """A change was refused, or stopped half-way. Nothing in use was removed, and the next look goes on from there.

        Whether a person has to do something is not known of most errors: Pods may be on their way. So it is tried
        again, less and less often; the first two times the group counts as being worked on.
        """
        said = reason(error)
        final = isinstance(error, NotAllowedError)
        again = one.condition("Ready").get("message") == said and one.observed == one.generation
        reporter.settled((stalled if final or again else reconciling)(_word(error), said))
        reporter.event("Warning", _word(error), said)
        self.metrics.failed(group_of(one), stalled=final or again)
        return Look(AGAIN[0], failed=True)


def group_of(one: GroupObject) -> GroupKey:
    return one.key.namespace, one.key.name


def _wanted(one: GroupObject, laid: Overlay) -> Wanted:
    action = f"apply, under rollout {laid.active}" if laid.active else "apply"
    return Wanted(one.key.name, one.key.namespace, laid.spec, action, by_rollout=True, stored=True)


def _word(error: Exception) -> str:
    """An error's kind as a condition's reason: `NotAllowedError` → `NotAllowed`."""
    return type(error).__name__.removesuffix("Error")


@dataclass(slots=True)
class _Change:
    """One plan under way: how it is carried out, and what is told about it.

    Parameters:
        spec: None where the group is deleted.
        laid: what lies over the group; None where it is deleted.
    """

    of: Reconciler
    one: GroupObject
    spec: LaneGroup | None
    reporter: Reporter
    laid: Overlay | None = None
    _shown: dict[str, object] = field(default_factory=dict)
    _waiting: float | None = None  # since when a barrier waits, by a clock that only rises

    @property
    def choices(self) -> Choices:
        return replace(
            self.of.settings.choices,
            take_back=self.spec is None or self.spec.spec.drift == "correct",
            adopt=self.one.annotations.get(lanegroups.ADOPT) == "true",
        )

    @property
    def watcher(self) -> Watcher:
        events = Events(step=self._step, wrote=self._check, barrier=self._barrier, drain=self._drain, ended=self._ended)
        return Watcher(planned=self._planned, events=events, noted=lambda note: self.of.tell(f"{self.one.key}: {note}"))

    def _planned(self, prepared: Prepared) -> None:
        """Called once all is known and nothing is written."""
        if self.spec is not None and drift.is_drift(prepared):
            said = drift.told(prepared)
            self.of.metrics.drifted(group_of(self.one))
            if self.spec.spec.drift == "report":
                raise DriftReported(said)
            versions = [str(one["metadata"].get("resourceVersion")) for one in prepared.live.raw.values()]
            self.reporter.event("Warning", "Drift", f"{said}; going back to the spec", about=" ".join(sorted(versions)))
        self._shown = {"steps": len(prepared.plan.steps)}

    def _step(self, number: int, step: Step) -> None:
        self._check()
        self._shown = {**self._shown, "step": number + 1, "title": step.title, "waitingFor": []}
        self.reporter.working(self._shown, now=True)

    def _barrier(self, progress: Progress) -> None:
        self._check()
        self._waiting = self._waiting or time.monotonic()
        lanes = self.laid.previews if self.laid else ()
        if time.monotonic() - self._waiting > PATIENCE and self.of.is_leaving(self.one.key.namespace, lanes):
            raise NewerSpecError("a preview lane is deleted, whose Pods may be what is waited for")
        self._shown = {**self._shown, "waitingFor": list(progress.waiting_for[:WAITING])}
        self.reporter.working(self._shown)

    def _drain(self, seconds: float) -> None:
        self._waited()
        self._check()

    def _ended(self, number: int, verdict: object, seconds: float) -> None:
        self._waited()
        self.of.metrics.step(seconds)

    def _waited(self) -> None:
        if self._waiting is not None:
            self.of.metrics.barrier(time.monotonic() - self._waiting)
            self._waiting = None

    def _check(self, *ignored: object) -> None:
        """At each moment at which a plan may be left: the newest spec wins, and no stale one is carried out first.

        Raises:
            NewerSpecError: there is a newer one. What is written stays; the next plan starts from it.
        """
        # A watch may lag behind the object that was read for this plan: an older generation there says nothing.
        if self.of.stop.is_set() or self.of.generation(group_of(self.one)) > self.one.generation:
            raise NewerSpecError("the spec has changed in the meantime")
