"""What was read last of each group, read anew on a thread while somebody looks at it.

A group of a thousand services takes a second to read. A page that opens shows what is known, and its stream follows.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

PERIOD = 1.2  # seconds from one reading to the next: of a small group, that is eight calls a second
SHARE = 0.5  # of the time that a reading takes, for which nothing is read after it at least
KEPT = 60.0  # seconds after which a reading is no longer shown, even for a moment
MOST = 50  # readings that are kept
READERS = 4  # at once, of one person or one server

T = TypeVar("T")


@dataclass(slots=True)
class _Reading(Generic[T]):
    """Times are of the clock."""

    value: T | None = None
    error: Exception | None = None
    ended: float = float("-inf")
    took: float = 0.0
    under_way: "Future[None] | None" = None


class Snapshots(Generic[T]):
    """Readings by key. Thread-safe.

    Parameters:
        clock: the time in seconds.
        period: seconds from one reading to the next.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, period: float = PERIOD) -> None:
        self._clock, self._period, self._lock = clock, period, threading.Lock()
        self._readings: OrderedDict[Hashable, _Reading[T]] = OrderedDict()
        self._pool = ThreadPoolExecutor(READERS, "reader")

    def get(self, key: Hashable, read: Callable[[], T], wait: float) -> T | None:
        """The newest reading. Where it is not new, another one begins.

        Parameters:
            read: reads it; called on a thread, and not twice at once for a key.
            wait: seconds to wait for a new one at most. After that, an older one is given, up to `KEPT` seconds old.

        Returns:
            None where there is none yet, also because as many others are under way as there may be.

        Raises:
            Exception: what the latest reading raised.
        """
        with self._lock:
            self._drop_old()
            if key not in self._readings and not self._has_room():
                return None
            one = self._readings.setdefault(key, _Reading())
            self._readings.move_to_end(key)
            if one.under_way is None and self._clock() - one.ended >= max(self._period - one.took, SHARE * one.took):
                one.under_way = self._pool.submit(self._read, one, read)
            under_way = one.under_way
        if under_way is not None:
            futures.wait([under_way], timeout=wait)
        with self._lock:
            if one.error is not None:
                raise one.error
            return one.value if self._clock() - one.ended < KEPT else None

    def forget(self, key: Hashable) -> None:
        """Have a key read anew, because it has just been changed."""
        with self._lock:
            self._readings.pop(key, None)

    def _has_room(self) -> bool:
        """Whether one more is kept, for which the one goes that nobody has asked for the longest time.

        One that is under way stays: it holds a thread, or a place before one, and would only begin anew.
        """
        if len(self._readings) >= MOST:
            idle = next((key for key, one in self._readings.items() if one.under_way is None), None)
            if idle is None:
                return False
            del self._readings[idle]
        return True

    def _drop_old(self) -> None:
        """Of what nobody has looked at for long, nothing stays in memory."""
        now = self._clock()
        old = [key for key, one in self._readings.items() if one.under_way is None and now - one.ended >= KEPT]
        for key in old:
            del self._readings[key]

    def _read(self, one: _Reading[T], read: Callable[[], T]) -> None:
        began = self._clock()
        value, error = None, None
        try:
            value = read()
        except Exception as raised:  # noqa: BLE001  whoever asks for the reading gets it
            error = raised
        with self._lock:
            one.value, one.error, one.under_way = value, error, None
            one.ended = self._clock()
            one.took = one.ended - began
