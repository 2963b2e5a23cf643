"""What the parts of a runner share: the cluster, how it is to be changed, and when to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock, LockLost
from meshconfig.errors import ClusterError, GraylaneError
from meshconfig.rollout import store
from meshconfig.rollout.runner.metrics import Metrics
from meshconfig.rollout.store import Record

LOOK = 1.0  # seconds from one look at a rollout to the next


class UnwantedError(GraylaneError):
    """What is being done is not asked for any more: somebody decided, or the runner stops."""


@dataclass(slots=True)
class DedupLog:
    """Tells lines for people, none twice in a row: what is looked at again and again mostly is as it was."""

    tell: Callable[[str], None]
    _said: str = ""

    def say(self, text: str) -> None:
        if text != self._said:
            self.tell(text)
        self._said = text


@dataclass(frozen=True, slots=True)
class Settings:
    """How the cluster is changed, as by `graylane apply`: seconds, and the URL of istiod's debug pages."""

    istiod: str | None = None
    timeout: float = 300.0
    drain: float = 5.0
    wait: float = 10.0


@dataclass(frozen=True, slots=True)
class RunnerContext:
    """Of one runner, from when it has got the Lease until it loses it or stops.

    Parameters:
        held: the Lease; nothing is written without it.
        stop: is set when the workers are to end.
        tell: takes one line for people.
    """

    client: Client
    namespace: str
    settings: Settings
    held: Lock
    stop: Event
    tell: Callable[[str], None]
    metrics: Metrics


@dataclass(slots=True)
class StillWanted:
    """Is what is being done for a state still asked for? A look at the cluster, at most one each second."""

    context: RunnerContext
    record: Record
    _next: float = field(default_factory=lambda: time.monotonic() + LOOK)

    def check(self, *ignored: object) -> None:
        """
        Raises:
            UnwantedError: not any more.
        """
        if self.context.stop.is_set():
            raise UnwantedError("the runner stops")
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK
        try:
            self.context.held.check()
            found = store.read(self.context.client, self.record.namespace, self.record.name)
        except LockLost as error:
            raise UnwantedError(str(error)) from None
        except ClusterError:  # not to be known now
            return
        if found is None or found.state.turn != self.record.state.turn:
            raise UnwantedError("the rollout goes another way")
