"""Holds received records until somebody takes them. Where nobody keeps up, senders wait, and then are told to retry."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LARGEST = 4 << 20  # bytes of one message, before and after compression; gRPC's own default
MOST_BYTES = 32 << 20  # of messages that wait, as they were sent; in memory a record takes several times as much
PATIENCE = 2.0  # seconds that a sender waits for room


class LogRecord(NamedTuple):
    """One log record.

    Parameters:
        time: in seconds of the Unix epoch.
        attributes: its own and its resource's, as text; only those of a simple type.
    """

    time: float
    attributes: Mapping[str, str]


class Intake:
    """A queue of records between receivers and one reader; all methods may be called from any thread.

    Parameters:
        most_bytes: the size of messages that may wait.
        patience: seconds for which `offer` waits.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, patience: float = PATIENCE) -> None:
        self._most, self._patience = most_bytes, patience
        self._waiting: deque[tuple[Sequence[LogRecord], int]] = deque()
        self._held = 0
        self._refused = 0
        self._changed = threading.Condition()

    @property
    def refused(self) -> int:
        """Messages for which there was no room; a sender that retries has one counted each time."""
        return self._refused

    def offer(self, records: Sequence[LogRecord], size: int) -> bool:
        """Add the records of one message, and wait if there is no room. False if there still is none.

        Parameters:
            size: the bytes of the message. A single one that is larger than all room is taken when nothing waits.
        """
        with self._changed:
            if self._changed.wait_for(lambda: not self._held or self._held + size <= self._most, self._patience):
                self._waiting.append((records, size))
                self._held += size
                self._changed.notify_all()
                return True
            self._refused += 1
            return False

    def take(self, patience: float) -> list[LogRecord]:
        """The records that wait, in the order in which they came; empty if none comes for `patience` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), patience)
            found = [record for records, _ in self._waiting for record in records]
            self._waiting.clear()
            self._held = 0
            self._changed.notify_all()
        return found

    def until(self, end: float, patience: float = 0.2) -> "list[LogRecord] | None":
        """What `take` gives; None when the time has come.

        Parameters:
            end: by `time.monotonic`.
        """
        left = end - time.monotonic()
        return self.take(min(patience, left)) if left > 0 else None
