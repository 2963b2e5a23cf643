"""Follows an object until the controller has made its spec so, or says that it cannot, or nobody does.

`Course` decides, with times that are given to it; `follow` reads what the API server tells.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

from meshconfig.backend.kinds import KINDS
from meshconfig.cluster import watching
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import CustomObject
from meshconfig.cluster.watching import FORBIDDEN, Watch
from meshconfig.errors import ApiError, ClusterError

OBSERVED = 30.0  # seconds within which a controller that runs has seen a change of an object
# What shows an object, for a person who looks at it later.
LOOK = {"LaneGroup": "graylane status {0.name} -n {0.namespace} --watch", "Lane": "graylane lane list -n {0.namespace}"}

T = TypeVar("T", bound=CustomObject)


class NotObservedError(ClusterError):
    """No controller has seen the change; the object stays as it was written."""


class StalledError(ClusterError):
    """The controller cannot carry the change out; its message says what a person has to change."""


class TooSlowError(ClusterError):
    """The controller has seen the change, and made no progress in time."""


class GoneError(ClusterError):
    """Somebody has deleted the object that was followed."""


@dataclass(slots=True)
class Course(Generic[T]):
    """What has become of an object since it was written.

    Parameters:
        last: the object as it was written, or as it is left by its deletion.
        now: seconds, of the clock that all times here are of.
        timeout: seconds without progress after which the controller is too slow.
        deleting: it is to go, rather than to be ready.
    """

    last: T
    now: float
    timeout: float
    deleting: bool = False
    _trouble: ClusterError | None = field(default=None, init=False)

    @property
    def limit(self) -> float:
        """When it is too late, unless something happens before."""
        return self.now + (self.timeout if self._is_at_work else OBSERVED)

    def take(self, one: T, now: float) -> bool:
        """Whether the object has reached its end.

        Raises:
            StalledError: the controller cannot carry it out.
            GoneError: somebody deletes it, although it was to be ready.
        """
        if one.uid != self.last.uid:  # another of its name: this one has gone
            return self.take_gone()
        if one.deleting and not self.deleting:
            raise GoneError(f"{one.key} is being deleted by somebody else; its routes go with it")
        if one.progress != self.last.progress:
            self.now = now
        self.last, self._trouble = one, None
        if _has_settled(one, "Stalled"):
            raise StalledError(f"{one.key}: {one.condition('Stalled').get('message') or 'stalled'}")
        return not self.deleting and _has_settled(one, "Ready")

    def take_gone(self) -> bool:
        """The same, where the object is there no more.

        Raises:
            GoneError: it was to be ready.
        """
        if not self.deleting:
            raise GoneError(f"{self.last.key} was deleted by somebody else")
        return True

    def take_error(self, error: ClusterError) -> None:
        """It could not be followed for a moment.

        Raises:
            ClusterError: nor will it be.
        """
        if isinstance(error, ApiError) and error.status in FORBIDDEN:
            raise ClusterError(
                f"{self.last.key} is written, but may not be followed: {error}; "
                f"that takes list and watch on {KINDS[self.last.key.kind].resource}: docs/rbac.md"
            )
        self._trouble = error

    def too_late(self) -> ClusterError:
        """Why nobody waits any longer."""
        one, place = self.last, self.last.key.namespace
        if self._trouble:
            return ClusterError(f"{one.key} is written, but cannot be followed: {self._trouble}")
        if not self._is_at_work:
            stays = "it waits for its routes to be taken away" if self.deleting else "it stays written"
            return NotObservedError(
                f"nobody has observed generation {one.generation} of {one.key} within {OBSERVED:g} s; {stays}, and a "
                f"controller carries it out as soon as one runs: start `graylane controller -n {place}`, or look at "
                "its Pods: kubectl get pods -n graylane-system"
            )
        return TooSlowError(
            f"{one.key} made no progress within {self.timeout:g} s: {one.under_way}; the controller goes on: "
            f"{LOOK[one.key.kind].format(one.key)}"
        )

    @property
    def _is_at_work(self) -> bool:
        """A controller that is busy with an earlier generation takes the newest at its next safe step."""
        return self.last.observed >= self.last.generation or self.last.is_true("Reconciling")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """Callbacks that show what is followed.

    Parameters:
        seen: gets the object after each change.
        superseded: gets the object where somebody else has changed its spec: that is followed from then on.
        failed: gets an error that may pass.
    """

    seen: Callable[[T], object]
    superseded: Callable[[T], object]
    failed: Callable[[ClusterError], object]


Arrival = tuple[watching.Change, T] | ClusterError


def follow(client: Client, written: T, told: Told[T], *, timeout: float, deleting: bool = False) -> T:
    """Return when the controller has done what an object asks for.

    Parameters:
        written: the object as it was written, or as it is left by its deletion.
        timeout: seconds without progress, such as the next step of a plan.
        deleting: until it has gone, rather than until it is ready.

    Returns:
        The object as it was seen last.

    Raises:
        NotObservedError: no controller runs.
        StalledError, TooSlowError, GoneError: it did not come so far.
        ClusterError: it cannot be followed.
    """
    course, arrived, stop = Course(written, time.monotonic(), timeout, deleting), SimpleQueue[Arrival[T]](), Event()
    name = (written.key.namespace, written.key.name)
    watch = Watch(
        client,
        written.key.kind,
        written.key.namespace,
        lambda change, one: arrived.put((change, type(written)(one))),
        stop,
        arrived.put,
        name=written.key.name,
        known={name: written.manifest},
    )
    # Nothing interrupts a thread that reads; it ends at the next event, with the process at the latest.
    Thread(target=watch.run, daemon=True).start()
    try:
        if course.take(written, course.now):
            return written
        while not _takes(course, _next(arrived, course), told):
            pass
        return course.last
    finally:
        stop.set()


def _next(arrived: "SimpleQueue[Arrival[T]]", course: Course[T]) -> Arrival[T]:
    try:
        return arrived.get(timeout=max(0.0, course.limit - time.monotonic()))
    except Empty:
        raise course.too_late() from None


def _takes(course: Course[T], arrival: Arrival[T], told: Told[T]) -> bool:
    if isinstance(arrival, ClusterError):
        course.take_error(arrival)
        told.failed(arrival)
        return False
    change, one = arrival
    if change is watching.Change.GONE:
        return course.take_gone()
    before = course.last
    if one.uid == before.uid and one.generation > before.generation and not (course.deleting or one.deleting):
        told.superseded(one)
    ended = course.take(one, time.monotonic())
    if one.version != before.version and one.uid == before.uid:
        told.seen(one)
    return ended


def _has_settled(one: CustomObject, kind: str) -> bool:
    """Whether a condition holds, and is about the newest spec."""
    about = one.condition(kind).get("observedGeneration", one.generation)
    return one.is_true(kind) and min(one.observed, about) >= one.generation
