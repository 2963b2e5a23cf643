"""What the API server has lately said that the account may do, so that a process need not ask for each change anew."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable

LIFE = 60.0  # seconds; a right that is taken away is rare, and a write without it is refused in any case


class Granted:
    """Permissions that were granted a moment ago. Thread-safe.

    A refusal is not kept: whoever mends it runs the same command again at once.

    Parameters:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._until: dict[Hashable, float] = {}

    def __contains__(self, permission: Hashable) -> bool:
        with self._lock:
            return self._until.get(permission, 0.0) > self._clock()

    def add(self, permissions: Iterable[Hashable]) -> None:
        """Keeps permissions for a minute; what has expired goes."""
        with self._lock:
            now = self._clock()
            there = {one: until for one, until in self._until.items() if until > now}
            self._until = {**there, **dict.fromkeys(permissions, now + LIFE)}

    def clear(self) -> None:
        """Forgets all, because the server has refused something: rights may have changed."""
        with self._lock:
            self._until.clear()
