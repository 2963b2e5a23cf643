"""How long each phase of a change takes, for whoever asks why a change is slow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """A part of a change; the rest is the lock and the revision."""

    PREPARE = "prepare"  # reads the cluster and plans
    CHECKS = "checks"
    WRITES = "writes"  # of what a barrier waits for; what is written during a barrier is in its time
    BARRIERS = "barriers"
    DRAIN = "drain"


@dataclass(slots=True)
class PhaseTimes:
    """The seconds of each phase so far. One thread measures."""

    seconds: dict[Phase, float] = field(default_factory=lambda: dict.fromkeys(Phase, 0.0))

    @contextmanager
    def measure(self, phase: Phase) -> Iterator[None]:
        """Adds the time of the `with` block to a phase, also where the block raises."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - began
