"""Whose turn is next, and for how long: in the end every test has had the same share of the time."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

TURN = (2.0, 60.0)  # the shortest and the longest turn, in seconds
ROUNDS = 3  # turns of each test, where the time allows it
STARTING = 4.0  # seconds that a process needs before its test begins, until some have been seen


@dataclass
class Target:
    """One test, and what all of its turns came to.

    `spent`: seconds with the start of its processes; `seconds`: of these, in the test. `cut`: it was ended at the
    deadline of the run, so that nobody knows whether it would have ended by itself.
    """

    name: str
    inputs: int = 0
    seconds: float = 0.0
    megabytes: int = 0
    turns: int = 0
    spent: float = 0.0
    finding: str = ""
    cut: bool = False

    def add(self, inputs: int, seconds: float, megabytes: int) -> None:
        self.inputs += inputs
        self.seconds += seconds
        self.megabytes = max(self.megabytes, megabytes)


@dataclass
class Turns:
    """Hands out turns to several threads until the time is over.

    Parameters:
        targets: all tests; one with a finding has no more turns.
        end: when the last turn ends, by `now`.
        jobs: threads.
    """

    targets: Sequence[Target]
    end: float
    jobs: int
    now: Callable[[], float] = time.monotonic
    stopped: threading.Event = field(default_factory=threading.Event)
    running: dict[str, tuple[float, float]] = field(default_factory=dict)  # name → (begin, planned end)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> tuple[Target, float] | None:
        """The next test, the one that has had the least, and its seconds."""
        with self.lock:
            waiting = [one for one in self._open() if one.name not in self.running]
            left = self.end - self.now() - self._starting()
            if self.stopped.is_set() or left < TURN[0] or not waiting:
                return None
            target = min(waiting, key=lambda one: one.spent)
            seconds = self._seconds(target, left)
            target.turns += 1
            self.running[target.name] = (self.now(), self.now() + self._starting() + seconds)
            return target, seconds

    def back(self, target: Target) -> None:
        """Its turn has ended."""
        with self.lock:
            begun, _ = self.running.pop(target.name)
            target.spent += self.now() - begun

    def _open(self) -> list[Target]:
        return [one for one in self.targets if not one.finding]

    def _seconds(self, target: Target, left: float) -> float:
        open_ = self._open()
        planned = sum(max(0.0, end - self.now()) for _, end in self.running.values())
        free = max(0.0, (self.end - self.now()) * self.jobs - planned)
        share = (free + planned + self._spent(open_)) / len(open_)
        whole = max(TURN[0], min(TURN[1], share / ROUNDS - self._starting()))
        return min(whole, left, max(TURN[0], share - target.spent - self._starting()))

    def _spent(self, targets: Iterable[Target]) -> float:
        under_way = sum(self.now() - begun for begun, _ in self.running.values())
        return sum(one.spent for one in targets) + under_way

    def _starting(self) -> float:
        """Seconds that a turn has taken beside its test, so far."""
        ended = sum(one.turns for one in self.targets) - len(self.running)
        beside = sum(one.spent - one.seconds for one in self.targets)
        return (STARTING + max(0.0, beside)) / (1 + ended)
