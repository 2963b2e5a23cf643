"""What the parts of a runner share: the cluster, the settings of changes, and the signal to stop."""

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

LOOK = 1.0  # seconds between two reads of a rollout


class UnwantedError(GraylaneError):
    """The current action is cancelled: the rollout took another decision, or the runner stops."""


@dataclass(slots=True)
class DedupLog:
    """Prints lines of text, but no line twice in a row, because most reads of a rollout find it unchanged."""

    tell: Callable[[str], None]
    _said: str = ""

    def say(self, text: str) -> None:
        if text != self._said:
            self.tell(text)
        self._said = text


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of changes, as of `graylane apply`: times in seconds, and the URL of istiod's debug pages."""

    istiod: str | None = None
    timeout: float = 300.0
    drain: float = 5.0
    wait: float = 10.0


@dataclass(frozen=True, slots=True)
class RunnerContext:
    """The context of one runner, from the moment it gets the Lease until it loses the Lease or stops.

    Parameters:
        held: the Lease, checked before each write.
        stop: set when the workers must end.
        tell: called with each line of text for people.
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
    """Checks, at most once a second, whether the action that a worker carries out is still wanted."""

    context: RunnerContext
    record: Record
    _next: float = field(default_factory=lambda: time.monotonic() + LOOK)

    def check(self, *ignored: object) -> None:
        """
        Raises:
            UnwantedError: the action is no longer wanted.
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
        except ClusterError:  # unknown at the moment; the next check may tell
            return
        if found is None or found.state.turn != self.record.state.turn:
            raise UnwantedError("the rollout goes another way")
