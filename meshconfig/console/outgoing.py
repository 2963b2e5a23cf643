"""Requests to other servers that a person has asked for: few at once, on threads that no page waits for."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from meshconfig.console.faults import BusyError

AT_ONCE = 8
EACH = 2  # of one person, so that nobody takes all of them

T = TypeVar("T")


class Outgoing:
    """Counts what is under way. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._count = Counter[object]()

    async def run(self, owner: object, work: Callable[[], T]) -> T:
        """What `work` gives; it is called on a thread of its own.

        Parameters:
            owner: who has asked for it.

        Raises:
            BusyError: as many are under way as there may be. It does not wait: what it would wait for may hang.
        """
        if self._count[owner] >= EACH:
            raise BusyError(f"{EACH} requests of yours still wait for an answer, the most: send it again later")
        if self._count.total() >= AT_ONCE:
            raise BusyError(f"{AT_ONCE} requests still wait for an answer, the most: send it again in some seconds")
        self._count[owner] += 1
        try:
            return await to_thread.run_sync(work, limiter=CapacityLimiter(1))  # not those that all pages share
        finally:
            self._count[owner] -= 1
            self._count += Counter()  # without those who have none under way
