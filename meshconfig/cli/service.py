"""What a command that runs until it is stopped needs: a log, a page of metrics, and an end at Ctrl-C or SIGTERM."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer

from meshconfig.printable import escape_line, put

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        metavar="PORT",
        min=1,
        max=65535,
        help="Port on which to serve /metrics and /healthz.",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        help="Host of Prometheus or webhooks that is not public: HOST, HOST:PORT, an address or a network. Repeatable. "
        "Default: public https hosts alone.",
        show_default=False,
    ),
]


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
    """Print a line with one write, because several threads print at the same time."""
    put(_line(text), error=True)
    sys.stderr.flush()


def _line(text: str) -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {escape_line(text)}\n"
