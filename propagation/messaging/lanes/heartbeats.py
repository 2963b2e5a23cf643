"""What was seen of consumers, and when."""

from collections.abc import Callable, Iterable
from time import monotonic


class Heartbeats:
    """A Liveness that keeps what an adapter tells it; it may be told in one thread and asked in another.

    clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}

    def seen(self, name: str) -> None:
        """A consumer of the group or queue `name` is there now."""
        self._seen[name] = self._clock()

    def gone(self, name: str) -> None:
        """The broker says that no consumer of `name` is there: no need to wait for the end of its lease."""
        self._seen.pop(name, None)

    def found(self, present: Iterable[str], asked: Iterable[str]) -> None:
        """The broker's answer about several: those of `asked` that are not among `present` are gone."""
        there = set(present)
        for name in asked:
            if name in there:
                self.seen(name)
            else:
                self.gone(name)

    def age(self, name: str) -> float | None:
        """Seconds since a consumer of `name` was last seen; None where none was, or it is gone."""
        at = self._seen.get(name)
        return None if at is None else max(0.0, self._clock() - at)
