"""Follows an object after it was written, and shows what the controller does."""

import time
from typing import TYPE_CHECKING, TypeVar

from meshconfig.cli.activity import Activity
from meshconfig.cli.common import stderr
from meshconfig.errors import ClusterError
from meshconfig.printable import say

if TYPE_CHECKING:
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.custom import ChangeUnderWay, CustomObject
    from meshconfig.cluster.objects import Key

T = TypeVar("T", bound="CustomObject")


def followed(client: "Client", written: T, timeout: float, *, deleting: bool = False) -> T:
    """Follow an object to its end, and show its steps on standard error.

    Parameters:
        written: the object as it was written, or as it is left by its deletion.
        timeout: seconds without progress.
        deleting: until it has gone, rather than until it is ready.

    Raises:
        ClusterError: it does not come to its end.
    """
    from meshconfig.cluster import following

    shown = FollowPrinter(Activity(stderr()))
    told: following.Told[T] = following.Told(shown.seen, shown.superseded, shown.failed)
    key = written.key
    shown.begin(key)
    try:
        last = following.follow(client, written, told, timeout=timeout, deleting=deleting)
        shown.ended()
        return last
    except KeyboardInterrupt:
        shown.stop()
        say(f"the controller goes on; to follow it: {following.LOOK[key.kind].format(key)}", error=True)
        raise
    finally:
        shown.stop()


class FollowPrinter:
    """Prints what the controller does with an object: a line for each step, on a terminal also what it waits for."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._step: tuple[int, int, str] | None = None
        self._began = 0.0
        self._said = ""

    def begin(self, key: "Key") -> None:
        self._activity.begin(f"{key}: waiting for the controller")

    def seen(self, one: "CustomObject") -> None:
        change = one.change
        step = (change.step, change.steps, change.title) if change else None
        if step != self._step:
            self.ended()
            self._begin(step)
        if change:
            self._activity.now(_waiting(change))
        elif one.is_true("Reconciling"):
            self._say(str(one.condition("Reconciling").get("message") or ""))

    def superseded(self, one: "CustomObject") -> None:
        self.stop()
        by = f" by {one.writer}" if one.writer else ""
        self._activity.line(f"{one.key} was changed{by}: its generation {one.generation} is followed now", "yellow")

    def failed(self, error: ClusterError) -> None:
        for line in error.lines:
            self._activity.line(line, "yellow")

    def stop(self) -> None:
        """Show no more; the step that is under way, if there is one, has not ended."""
        self._activity.end()
        self._step = None

    def ended(self) -> None:
        """Print the step that was under way, if there was one."""
        self._activity.end()
        if self._step:
            number, steps, title = self._step
            self._activity.line(f"step {number}/{steps}  {title} ({time.monotonic() - self._began:.1f} s)")
        self._step = None

    def _begin(self, step: tuple[int, int, str] | None) -> None:
        self._step, self._began = step, time.monotonic()
        if step:
            number, steps, title = step
            self._activity.begin(f"step {number}/{steps}  {title}")

    def _say(self, message: str) -> None:
        if message and message != self._said:
            self._activity.line(message, "dim")
        self._said = message


def _waiting(change: "ChangeUnderWay") -> str:
    return f"waiting for {', '.join(change.waiting_for[:2])}" if change.waiting_for else "…"
