"""How much the workers of a runner work on at a time: a group takes some two hundred times the bytes of its JSON.

A rollout that pauses holds nothing but its name. A look at it, and a change, hold its group, compiled and as resources.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LARGE = 16 << 10  # the weight of 120 services: from there on, a group is large
SMALL_ROOM, LARGE_ROOM = 128 << 10, 192 << 10  # the weights that are worked on at a time
LEAST = 4 << 10  # the weight of any work: beside its group it holds resources, connections, and what was taken over
LOOK = 0.2  # seconds


class Room:
    """Lets workers begin in the order in which they come, each as soon as there is room for its group.

    Small groups have a room of their own, so that none waits for a large one. A group that is larger than the whole
    room is worked on alone.

    Parameters:
        stop: ends all waiting.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._small, self._large = _Queue(SMALL_ROOM), _Queue(LARGE_ROOM)
        self.admission = threading.Lock()  # for a rollout that begins: nobody knows yet how large its group is

    @contextmanager
    def of(self, weight: int) -> Iterator[bool]:
        """For work on a rollout; False where the runner stops before there is room."""
        weight = max(weight, LEAST)
        queue = self._large if weight >= LARGE else self._small
        if not queue.enter(weight, self._stop):
            yield False
            return
        try:
            yield True
        finally:
            queue.leave(weight)


class _Queue:
    def __init__(self, most: int) -> None:
        self._most, self._used = most, 0
        self._changed = threading.Condition()
        self._waiting: list[object] = []

    def enter(self, weight: int, stop: threading.Event) -> bool:
        """Waits for room; False where `stop` is set before."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or (self._used and self._used + weight > self._most):
                    if stop.is_set():
                        return False
                    self._changed.wait(LOOK)
                self._used += weight
                return True
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def leave(self, weight: int) -> None:
        with self._changed:
            self._used -= weight
            self._changed.notify_all()
