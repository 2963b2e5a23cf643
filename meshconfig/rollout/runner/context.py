"""Shared by the parts of the driver: the cluster, how to change it, and when to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from meshconfig.cluster.change import Choices
from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock, LockLost
from meshconfig.errors import ClusterError, GraylaneError
from meshconfig.exchange.allowed import Allowed
from meshconfig.rollout import store
from meshconfig.rollout.runner.metrics import Metrics
from meshconfig.rollout.runner.room import Room
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup

LOOK = 1.0  # seconds from one look at a rollout to the next
LATER = 5.0  # seconds after something went wrong, or until something may be there that no watch tells of


class UnwantedError(GraylaneError):
    """The action is cancelled: somebody decided otherwise, or the driver stops."""


@dataclass(slots=True)
class DedupLog:
    """Logs lines for people, none twice in a row: most looks find what the last one found."""

    tell: Callable[[str], None]
    _said: str = ""

    def say(self, text: str) -> None:
        if text != self._said:
            self.tell(text)
        self._said = text


@dataclass(frozen=True, slots=True)
class Settings:
    """How the cluster is changed: the options of `graylane apply`.

    Parameters:
        istiod: URL of istiod's debug pages.
        timeout, drain, wait: seconds.
        allowed: namespaces beside that of the rollouts in which a rollout may change resources and Deployments.
        hosts: where Prometheus and webhooks may be, beside public https hosts.
    """

    istiod: str | None = None
    timeout: float = 300.0
    drain: float = 5.0
    wait: float = 10.0
    allowed: frozenset[str] = frozenset()
    hosts: Allowed = field(default_factory=Allowed)

    @property
    def choices(self) -> Choices:
        """How a group is changed by a controller.

        An expired Lease belongs to one that was killed. It is watched for its whole duration before it is taken.
        """
        return Choices(
            break_lock=True,
            timeout=self.timeout,
            drain=self.drain,
            wait=self.wait,
            istiod=self.istiod,
            allowed=self.allowed,
        )


@dataclass(frozen=True, slots=True)
class RunnerContext:
    """What the workers of one driver share, from when the controller leads until it does not any more.

    Parameters:
        held: the Lease of the controller. Nothing is written without it.
        stop: is set when the workers have to end.
        tell: gets one line for people.
    """

    client: Client
    settings: Settings
    held: Lock
    stop: Event
    tell: Callable[[str], None]
    metrics: Metrics
    room: Room
    _noted: set[str] = field(default_factory=set)

    def note(self, text: str) -> None:
        """Tells a line once: each step of a rollout reads the same history, and finds the same that cannot be read."""
        if text not in self._noted:
            self._noted.add(text)
            self.tell(text)


def foreign(context: RunnerContext, group: LaneGroup) -> str:
    """Why a rollout may not change a group that is stored in the cluster: it has services in other namespaces.

    Returns:
        The reason, and the option that allows it; empty where the rollout may.
    """
    places = {group.service(name).namespace for name in group.spec.services}
    namespace = group.metadata.namespace
    others = sorted(places - {namespace, *context.settings.allowed})
    if not others:
        return ""
    options = " ".join(f"--allow-namespace {one}" for one in others)
    return (
        f"group {group.metadata.name} has services in namespace {', '.join(others)}, which its rollouts may not "
        f"change; to allow it: graylane controller -n {namespace} {options}"
    )


@dataclass(slots=True)
class StillWanted:
    """Checks whether a rollout is still in the turn that an action belongs to. Reads it at most once a second."""

    context: RunnerContext
    record: Record
    _next: float = field(default_factory=lambda: time.monotonic() + LOOK)

    def check(self, *ignored: object) -> None:
        """
        Raises:
            UnwantedError: the rollout has left the turn, or the driver stops.
        """
        if self.context.stop.is_set():
            raise UnwantedError("the driver stops")
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK
        try:
            self.context.held.check()
            now = store.turn(self.context.client, self.record.namespace, self.record.name)
        except LockLost as error:
            raise UnwantedError(str(error)) from None
        except ClusterError:  # not known now; the next look may tell
            return
        if now != (self.record.state.generation, self.record.state.turn):
            raise UnwantedError("the rollout has changed in the meantime")
