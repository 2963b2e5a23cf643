"""A queue of names: each is in it once, and one worker at a time has it. What changes meanwhile comes afterwards.

So a group whose spec changed five times during one plan is looked at once more, and not five times.
The idea is that of client-go's workqueue: https://pkg.go.dev/k8s.io/client-go/util/workqueue
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
LONGEST = 86_400.0  # seconds of one wait: a lane may be kept for longer than a platform's clock counts


class WorkQueue(Generic[T]):
    """Thread-safe.

    Parameters:
        clock: gives seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[T, float] = {}  # when each is to be looked at, at the latest
        self._busy: set[T] = set()
        self._urgent: set[T] = set()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, one: T, after: float = 0.0, *, urgent: bool = False) -> None:
        """Has a name looked at.

        Parameters:
            after: seconds until then. If it is in the queue already, the earlier time holds.
            urgent: once it is due, it is taken before those that have waited longer.
        """
        due = self._clock() + after
        with self._changed:
            self._due[one] = min(due, self._due.get(one, due))
            if urgent:
                self._urgent.add(one)
            self._changed.notify()

    def forget(self, one: T) -> None:
        """Takes a name out that is not to be looked at any more."""
        with self._changed:
            self._due.pop(one, None)
            self._urgent.discard(one)

    def take(self) -> T | None:
        """The name that has waited longest, of urgent ones if one is due; waits until then. None once it is closed.

        Whoever takes a name gives it back by `done`.
        """
        with self._changed:
            while not self._closed:
                now = self._clock()
                free = {one: due for one, due in self._due.items() if one not in self._busy}
                if ready := [one for one, due in free.items() if due <= now]:
                    found = min(ready, key=lambda one: (one not in self._urgent, free[one]))
                    del self._due[found]
                    self._urgent.discard(found)
                    self._busy.add(found)
                    return found
                self._changed.wait(min(min(free.values()) - now, LONGEST) if free else None)
        return None

    def done(self, one: T) -> None:
        with self._changed:
            self._busy.discard(one)
            self._changed.notify()

    def close(self) -> None:
        """Ends all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """The names that wait, without those that are being looked at."""
        return len(self._due)
