"""For commands that work until they are told to stop: their end by a signal, and their lines."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from meshconfig.printable import escape_line, put


@contextmanager
def stopped() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or Ctrl-C sets. The second one ends the process as usual."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        restore()
        # Not through sys.stderr: the signal may interrupt a write to it, and its buffer is not reentrant.
        os.write(2, _line("stops what it is at, and ends; another Ctrl-C ends it at once").encode())

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


def tell(text: str) -> None:
    """Print a line with its time by one write, because several threads print at the same time."""
    put(_line(text), error=True)
    sys.stderr.flush()


def _line(text: str) -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {escape_line(text)}\n"
