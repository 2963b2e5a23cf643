"""One look at a Lane: what is made for it, what it waits for, or that requests reach it."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from meshconfig.cluster import custom, lanegroups, previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.conditions import Condition, ready, reconciling, stalled
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.lock import LockLost
from meshconfig.cluster.paths import path
from meshconfig.cluster.previews import FINALIZER, PreviewObject, written
from meshconfig.compile import compile_group
from meshconfig.controller.owned import GroupKey
from meshconfig.controller.previews import leftover, made
from meshconfig.controller.previews.ending import FORBIDDEN, Ending
from meshconfig.controller.previews.index import LaneKey, Plan, PreviewIndex
from meshconfig.controller.previews.making import LATER, Making, Wait
from meshconfig.controller.previews.metrics import PreviewMetrics
from meshconfig.controller.reporter import Reporter
from meshconfig.errors import ApiError, ClusterError, Conflict, InputError, Location, Unreachable, dotted
from meshconfig.istio.labels import LANE
from meshconfig.links import ways_into
from meshconfig.preview.check import check, routed
from meshconfig.preview.clone import LaneIdentity
from meshconfig.preview.expiry import expiry
from meshconfig.preview.overlay import with_previews
from meshconfig.preview.quota import has_room
from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.routing import reason
from meshconfig.spec import LaneGroup, PreviewLane
from meshconfig.spec.preview import KEEP_UNTIL

SETTLE = 0.5  # seconds until a group is planned for lanes that are ready or end: others become so together with them
COMING = 1.5  # the same for lanes that are coming, whose Pods take longer; those of a moment come in one plan
SOON = 0.5  # seconds until the next look where somebody wrote the object in between
BUSY = 3.0  # seconds until the next look where the API server does not answer
ROUTING = "Routing"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look.

    Parameters:
        after: seconds until the next one; None if an event will tell.
        longer: the pause grows, as the same was seen before.
        left: seconds until the lane expires.
        ready: requests reach it.
    """

    after: float | None = None
    longer: bool = False
    left: float | None = None
    ready: bool = False


@dataclass(slots=True)
class PreviewLooker:
    """Looks at Lanes, each by one thread at a time; all threads share one looker, and with it who gets a last place.

    Parameters:
        plan: has a group planned anew, for what its Lanes say now, so many seconds later at the latest.
        tell: gets one line for the log.
        now: the time, in UTC.
    """

    client: Client
    settings: Settings
    index: PreviewIndex
    plan: Callable[[GroupKey, float], object]
    tell: Callable[[str], None]
    metrics: PreviewMetrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _admission: threading.Lock = field(default_factory=threading.Lock)

    def look(self, lane: LaneKey) -> Looked:
        """Looks at a Lane once.

        Raises:
            LockLost: the controller has lost its Lease.
        """
        one = previews.read(self.client, *lane)
        if one is None:
            return self._gone(lane)
        reporter = Reporter(self.client, one, self.tell)
        here = _Look(self, one, reporter)
        try:
            return here.go()
        except Conflict:  # somebody wrote the object, or what is made for it: the next look reads what
            return Looked(SOON)
        except LockLost:
            raise
        except Unreachable as error:
            self.tell(f"{one.key}: {reason(error)}")
            return Looked(BUSY)
        except ClusterError as error:
            return here.failed(error)

    def _gone(self, lane: LaneKey) -> Looked:
        def unrouted(group: GroupKey, uid: str) -> bool:
            if not custom.is_served(self.client, previews.KIND):  # that the kind is missing says nothing of its objects
                return False
            seen = self.index.first(lane, uid, "left over")
            return lanegroups.read(self.client, *group) is None or self.planned_since(group, seen)

        if leftover.take_away(self.client, lane, self.places(lane[0]), unrouted):
            return Looked(LATER, longer=True)
        self.index.forget(lane)
        return Looked()

    def places(self, namespace: str) -> list[str]:
        """The namespaces where the Deployments of a namespace's Lanes may be."""
        return sorted({namespace, *self.settings.allowed})

    def planned_since(self, group: GroupKey, seen: tuple[float, bool]) -> bool:
        """Whether a plan of the group has succeeded that began after something was first seen. Asks for one.

        Parameters:
            seen: when it was, and whether that is now: a plan that fails is tried again as any other.
        """
        since, is_new = seen
        if is_new:
            self.plan(group, SETTLE)
        plan = self.index.plan(group)
        return plan is not None and plan.began > since


@dataclass(slots=True)
class _Look:
    """One look under way."""

    of: PreviewLooker
    one: PreviewObject
    reporter: Reporter

    @property
    def group_key(self) -> GroupKey:
        return self.one.namespace, self.one.group

    @property
    def identity(self) -> LaneIdentity:
        return LaneIdentity(self.one.name, self.one.group, self.one.uid, self.one.namespace)

    def go(self) -> Looked:
        if self.one.deleting:
            return self._end()
        try:
            lane = self.one.spec()
        except InputError as error:
            return self._refuse("InvalidSpec", reason(error))
        end = expiry(self.one.created, lane.spec.ttl, self.one.annotations.get(KEEP_UNTIL))
        left = (end.at - self.of.now()).total_seconds()
        if left <= 0:
            return self._delete("Expired", f"the lane has expired at {written(end.at)}")
        if end.wrong:
            self.reporter.event("Warning", "WrongKeepUntil", end.wrong)
        return replace(self._make_so(lane, {"expires": written(end.at)}), left=left)

    def failed(self, error: ClusterError) -> Looked:
        """Something could not be read or written; it is tried again."""
        said = reason(error)
        self._event("Warning", "Failed", said)
        wait = Wait(type(error).__name__.removesuffix("Error"), said, LATER)
        if self.one.deleting:
            return self._wait(wait, phase="Ending")
        return self._hindered(wait, {})

    def _make_so(self, lane: PreviewLane, more: Mapping[str, Any]) -> Looked:
        group = lanegroups.read(self.of.client, *self.group_key)
        if group is None or group.deleting:
            # A lane that was made for a group ends with it, also where nobody looked while the group went.
            if self.one.admitted:
                return self._delete(
                    "GroupEnds", f"LaneGroup {self.one.group} is {'being deleted' if group else 'gone'}"
                )
            said = f"LaneGroup {self.one.group} is {'being deleted' if group else 'not there yet'}"
            return self._wait(Wait("NoGroup", said), more)
        try:
            spec = group.spec()
            compile_group(spec, lambda path: Location(str(group.key)))
        except InputError as error:
            wait = Wait("InvalidGroup", f"LaneGroup {self.one.group}: {reason(error)}")
            return self._hindered(wait, more) if self._has_its_pods() else self._wait(wait, more)
        if wrong := "; ".join(f"{dotted(where)}: {said}" for where, said in check(lane, spec)):
            return self._refuse("InvalidSpec", wrong, more)
        making = Making(self.of.client, lane, spec, self.identity, self._unrouted, self._happened)
        if foreign := self._not_allowed(making.namespaces):
            said = f"it has services in namespace {', '.join(foreign)}; to allow it: {_allowing(foreign)}"
            return self._refuse("NotAllowed", said, more)
        if not self.one.admitted:
            # Who comes with others is made after all of them are admitted: one plan then gets the versions of all.
            if self._admit(spec):
                return Looked(0.0)
            said = f"the group has {spec.spec.limits.previews} preview lanes, its limit: the oldest that waits is next"
            return self._wait(Wait("Quota", said), more)
        return self._made(lane, group, spec, making, more)

    def _admit(self, spec: LaneGroup) -> bool:
        """Whether the group has room; then the finalizer is written, before anything is made."""
        with self.of._admission:  # two workers would both see the last place
            lanes = previews.each(self.of.client, *self.group_key)
            if not has_room(lanes, self.one.name, spec.spec.limits.previews):
                return False
            self.one = self.reporter.one = custom.add_finalizer(self.of.client, self.one, FINALIZER)
        return True

    def _made(
        self, lane: PreviewLane, group: GroupObject, spec: LaneGroup, making: Making, more: Mapping[str, Any]
    ) -> Looked:
        self._note_namespaces(making.namespaces)
        if not self.one.versions and self.of.index.comes(self.one):
            self.of.plan(self.group_key, COMING)
        # Once versions were ready, the Job before them is done, whether or not it is still there.
        if not self.one.versions and (wait := making.before()):
            return self._wait(wait, more)
        there, waits = making.versions()
        before = self.one.versions
        # The first time all of them together; later a version stays routed while its Pods are replaced.
        kept = {service: labels for service, labels in before.items() if service in lane.spec.versions}
        # Where the spec has none of them any more, they stay stated until others are ready: routes to them may be left,
        # for which an end has to wait. A plan routes only those that the spec has.
        now = ({**kept, **there} or before) if before or not waits else {}
        if now != before:
            # Before the group may route any of it: what the status does not have was never routed.
            self.reporter.settled(
                reconciling(ROUTING, "the versions are ready, and the group routes them"), **more, **_stated(now)
            )
        plan = self.of.index.plan(self.group_key)
        if now != before or (now and not self._is_routed(plan, now) and self.of.index.asks(self.one, now)):
            self.of.plan(self.group_key, SETTLE)
        # What a plan from before this generation says is not about it.
        since, _ = self.of.index.unwanted(self.one, "judged")
        if plan and plan.began > since and (why := plan.refused.get(self.one.name)):
            return self._refuse("Refused", why, more, LATER if waits else None)
        if waits:
            return self._wait(min(waits, key=lambda one: not one.stalled), more)
        if plan is None and self._was_ready:  # another process led, and the routes are as it left them
            return self._still_ready(_state(group), more)
        if plan is None or not self._is_routed(plan, now):
            return self._wait(Wait(ROUTING, f"the versions are ready, and the group routes them{_state(group)}"), more)
        if self._superfluous(making):
            return self._wait(Wait(ROUTING, "routes to versions that the lane has no more are taken away"), more)
        return self._ready(lane, spec, more)

    def _note_namespaces(self, namespaces: Iterable[str]) -> None:
        """Before anything is made there: who may not change them any more at the lane's end knows what is left."""
        noted = sorted({*self.one.namespaces, *namespaces} - {self.one.namespace})
        if noted != sorted(self.one.namespaces):
            custom.put_status(self.of.client, self.one.key, {"namespaces": noted})

    def _is_routed(self, plan: Plan | None, versions: Mapping[str, Mapping[str, str]]) -> bool:
        found = plan.over.get(self.one.name) if plan else None
        return found is not None and dict(found.versions) == versions

    def _superfluous(self, making: Making) -> bool:
        """Deletes clones that the spec has no more, once a plan without them has succeeded; whether it is to come."""
        waits = False
        for name, one in making.superfluous():
            if self._unrouted(name):
                made.delete(self.of.client, one)
            else:
                waits = True
        return waits

    def _unrouted(self, name: str) -> bool:
        """Whether a plan has succeeded that began after a Deployment of this name was found to be in the way."""
        return self.of.planned_since(self.group_key, self.of.index.unwanted(self.one, name))

    def _not_allowed(self, namespaces: Iterable[str]) -> list[str]:
        allowed = self.of.places(self.one.namespace)
        return [place for place in namespaces if place not in allowed]

    def _ready(self, lane: PreviewLane, spec: LaneGroup, more: Mapping[str, Any]) -> Looked:
        now = self.of.now()
        since = self.one.ready_since
        link = link_of(spec, lane)
        self.reporter.settled(
            ready("Routed", self._reached(lane.spec.versions)),
            **more,
            phase="Ready",
            link=link or None,
            readySince=written(since or now),
        )
        if since is None:
            seconds = max(0.0, (now - self.one.created).total_seconds())
            self.of.metrics.ready(self.one, seconds)
            where = f": {link}" if link else ""
            self._event("Normal", "Ready", f"reachable {seconds:.0f} s after its creation{where}")
        return Looked(ready=True)

    def _reached(self, services: Iterable[str]) -> str:
        return f"requests with the tag {self.one.name} reach {', '.join(sorted(services))}"

    @property
    def _was_ready(self) -> bool:
        """Whether its last look, whoever led then, found it ready with this spec. It is so until disproved."""
        one = self.one
        return one.phase == "Ready" and one.is_true("Ready") and one.observed == one.generation

    def _has_its_pods(self) -> bool:
        """Whether all clones that are routed are there with their Pods. Of Pods that existed before, none is read."""
        there = made.deployments(self.of.client, self.of.places(self.one.namespace), self.one.name).values()
        mine = [one for one in there if self.identity.owns(one)]
        routed = [service for service, labels in self.one.versions.items() if LANE in labels]
        return len(mine) >= len(routed) and all(map(made.has_its_pods, mine))

    def _hindered(self, wait: Wait, more: Mapping[str, Any]) -> Looked:
        """What keeps a lane from being changed says nothing against one that is ready."""
        if not self._was_ready:
            return self._wait(wait, more)
        return self._still_ready(f"; {wait.message}", more, wait.after)

    def _still_ready(self, hindrance: str, more: Mapping[str, Any], after: float | None = None) -> Looked:
        """
        Parameters:
            hindrance: what changes would wait for, behind a semicolon; or empty.
        """
        self.reporter.settled(ready("Routed", self._reached(self.one.versions) + hindrance), **more, phase="Ready")
        return Looked(after, longer=after is not None)

    def _end(self) -> Looked:
        """Routes first: a plan of the group that began after the deletion has succeeded without the lane."""
        if not self.one.admitted:
            return Looked()
        if custom.namespace_ends(self.of.client, self.one.namespace):
            # Everything in it goes at once, in no order, and nothing new is accepted: the finalizer only holds it up.
            self._ending({}).let_go()
            return Looked()
        if self.one.versions and (wait := self._routes_go()):
            return self._wait(wait, phase="Ending")
        if not self.one.versions and self.of.index.unwanted(self.one)[1]:
            self.of.plan(self.group_key, SETTLE)  # no route led to it, so that nothing waits for that plan
        warned: list[tuple[str, str]] = []
        ending = self._ending(warned)
        try:
            wait = ending.pods_and_hook()
        except ApiError as error:
            if error.status not in (made.NOT_FOUND, FORBIDDEN) or not self._ends(self.one.namespace):
                raise
            wait = None
        for why, said in warned:
            self._event("Warning", why, said)
        if wait:
            return self._wait(wait, phase="Ending")
        ending.let_go()
        self.of.tell(f"{self.one.key}: deleted")
        return Looked()

    def _routes_go(self) -> Wait | None:
        seen = self.of.index.unwanted(self.one)
        group = lanegroups.read(self.of.client, *self.group_key)
        if group is None or self.of.planned_since(self.group_key, seen):  # it went with all of its routes, or without
            return None
        return Wait("Routes", f"the lane's routes are taken away{_state(group)}")

    def _ending(self, warned: Any) -> Ending:
        places, beyond = self.of.places(self.one.namespace), ""
        if foreign := [place for place in self._not_allowed(self.one.namespaces) if not self._ends(place)]:
            where = ", ".join(foreign)
            beyond = f"its Pods in namespace {where} may be left; to have them deleted: {_allowing(foreign)}"
        return Ending(
            self.of.client, self.one, self.identity, places, beyond, lambda why, said: warned.append((why, said))
        )

    def _ends(self, namespace: str) -> bool:
        """Whether a namespace is for certain being deleted or gone, and with it what the lane had there."""
        try:
            return custom.namespace_ends(self.of.client, namespace)
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            return False

    def _wait(self, wait: Wait, more: Mapping[str, Any] | None = None, phase: str = "Pending") -> Looked:
        if wait.stalled:
            return self._refuse(wait.reason, wait.message, more or {}, wait.after)
        self._settle(reconciling(wait.reason, wait.message), phase, more or {})
        return Looked(wait.after, longer=wait.after is not None)

    def _refuse(self, why: str, said: str, more: Mapping[str, Any] | None = None, after: float | None = None) -> Looked:
        self._settle(stalled(why, said), "Failed", more or {})
        self._event("Warning", why, said)
        return Looked(after, longer=after is not None)

    def _settle(self, conditions: tuple[Condition, ...], phase: str, more: Mapping[str, Any]) -> None:
        self.reporter.settled(conditions, **more, phase=phase)

    def _happened(self, why: str, said: str) -> None:
        self._event("Normal", why, said)

    def _event(self, kind: Any, why: str, said: str) -> None:
        self.reporter.event(kind, why, said)

    def _delete(self, why: str, said: str) -> Looked:
        """Deletes this object as it was read: the watch tells of it, and its end begins.

        Raises:
            Conflict: somebody wrote it in between, such as a later end.
        """
        options = {"preconditions": {"uid": self.one.uid, "resourceVersion": self.one.version}}
        try:
            self.of.client.request("DELETE", path(self.one.key), options)
        except ApiError as error:
            if error.status != made.NOT_FOUND:
                raise
        self._event("Normal", why, said)
        return Looked()


def _allowing(namespaces: Iterable[str]) -> str:
    return " ".join(["graylane controller", *(f"--allow-namespace {place}" for place in namespaces)])


def link_of(group: LaneGroup, lane: PreviewLane) -> str:
    """The address that puts a browser into a lane, at an entry before its services if there is one; empty for none."""
    laid = with_previews(group, [routed(lane)]).spec
    ways = ways_into(laid, lane.metadata.name, lane.spec.versions)
    return next((found for one in ways if (found := one.link or one.address)), "")


def _stated(versions: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    found = [{"service": service, "labels": dict(labels)} for service, labels in sorted(versions.items())]
    return {"versions": found or None, "phase": "Pending"}


def _state(group: GroupObject) -> str:
    """What the group waits for itself."""
    said = group.condition("Ready")
    if group.is_true("Ready") or not said.get("message"):
        return ""
    return f"; group {group.key.name}: {said['message']}"
