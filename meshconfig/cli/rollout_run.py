"""`graylane rollout run`: carries out rollouts, in a terminal or as a Pod."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer

from meshconfig.bounded import share_one_heap
from meshconfig.cli.cluster import AllowNamespace, Context, Drain, Istiod, Namespace, Timeout, Wait, connect
from meshconfig.cli.common import check_seconds, needs
from meshconfig.printable import escape_line, put

Metrics = Annotated[
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


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    namespace: Namespace = "default",
    metrics: Metrics = None,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    allow_namespace: AllowNamespace = None,
    allow_host: AllowHost = None,
    context: Context = None,
) -> None:
    """Carry out the rollouts of a namespace until Ctrl-C or SIGTERM: scale, shift requests, measure, notify.

    Several processes may run at once, also as the controller in `k8s/controller`. One of them works; if it stops,
    another one continues. Ctrl-C waits for the current action to end; a second Ctrl-C does not.

    A rollout names the URLs of Prometheus and webhooks. This command calls public hosts by https. Private addresses,
    loopback and hosts by plain http have to be named by --allow-host.

    Examples:

        graylane rollout run -n demo --allow-host prometheus.monitoring:9090

        graylane rollout run -n demo --metrics 9090 --drain 30
    """
    check_seconds(timeout=timeout, drain=drain, wait=wait)
    with needs("mesh"):
        from meshconfig.exchange.allowed import Allowed
    hosts = Allowed.of(allow_host or ())
    share_one_heap()
    client = connect(context)
    with needs("mesh"):
        from meshconfig.rollout.runner import Runner, Settings
        from meshconfig.rollout.runner.metrics import serve
    allowed = frozenset(allow_namespace or ())
    settings = Settings(istiod=istiod, timeout=timeout, drain=drain, wait=wait, allowed=allowed, hosts=hosts)
    runner = Runner(client, namespace, settings, tell=_tell)
    pages = nullcontext() if metrics is None else serve(metrics, runner.metrics)
    with stopped() as stop, pages:
        runner.run(stop)


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


def _tell(text: str) -> None:
    """Print a line with one write, because several threads print at the same time."""
    put(_line(text), error=True)
    sys.stderr.flush()


def _line(text: str) -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {escape_line(text)}\n"
