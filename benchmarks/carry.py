"""What carrying the tag costs, beside what others add to the same request: ratios inside one run.

    python benchmarks/carry.py

Each middleware wraps the same app in this one process and is driven without a server; each transport wraps one that
answers at once. They take turns, a tenth of a round at a time; what one adds is its time less that of the bare app in
the same round, and the median of nine rounds counts. Every request has ten headers. OpenTelemetry runs with its SDK
and exports nothing. Ends with 1 where a ratio is missed.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
from asgi_correlation_id import CorrelationIdMiddleware
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette_context.middleware import RawContextMiddleware
from starlette_context.plugins import Plugin

from propagation import ASGIMiddleware, use
from propagation.clients.httpx import PropagatingTransport

ROUNDS = 9
TURNS = 10
NINE = [(f"x-header-{number}".encode(), b"value") for number in range(9)]
SDK: Any = {"tracer_provider": TracerProvider(), "meter_provider": MeterProvider()}
OURS, OTEL, CORRELATION, STARLETTE = "graylane", "opentelemetry", "asgi-correlation-id", "starlette-context"


class EnvPlugin(Plugin):
    key = "env"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def nothing(*message: Any) -> None:
    pass


def request(middleware: Any, last: tuple[bytes, bytes]) -> Callable[[], object]:
    """One request through `middleware`, with nine headers and this one."""
    headers = [*NINE, last]

    def once() -> None:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1024),
            "headers": headers,
        }
        try:
            middleware(scope, nothing, nothing).send(None)
        except StopIteration:
            return

    return once


def middleware(tagged: bool) -> dict[str, Callable[[], object]]:
    """The apps to compare, each with the header that its middleware reads, or with one that none reads."""
    other = (b"x-header-9", b"value")
    wanted = {
        OURS: (b"env", b"gray"),
        OTEL: (b"baggage", b"env=gray"),
        CORRELATION: (b"x-request-id", uuid.uuid4().hex.encode()),
        STARLETTE: (b"env", b"gray"),
    }
    made: dict[str, Any] = {
        "bare": app,
        OURS: ASGIMiddleware(app),
        OTEL: OpenTelemetryMiddleware(app, **SDK),
        CORRELATION: CorrelationIdMiddleware(app),
        STARLETTE: RawContextMiddleware(app, plugins=[EnvPlugin()]),
    }
    return {name: request(one, wanted.get(name, other) if tagged else other) for name, one in made.items()}


class Answer(httpx.BaseTransport):
    """Answers at once."""

    def __init__(self) -> None:
        self._answer = httpx.Response(200)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer


def transports() -> dict[str, Callable[[], object]]:
    headers = httpx.Headers([*NINE, (b"x-header-9", b"value")])
    made: dict[str, Any] = {
        "bare": Answer(),
        OURS: PropagatingTransport(Answer()),
        OTEL: SyncOpenTelemetryTransport(Answer(), **SDK),
    }

    def send(transport: httpx.BaseTransport) -> Callable[[], object]:
        stream = httpx.ByteStream(b"")
        return lambda: transport.handle_request(
            httpx.Request("GET", "http://mouse-svc:9001/", headers=headers, stream=stream)
        )

    return {name: send(one) for name, one in made.items()}


def added(ways: dict[str, Callable[[], object]], seconds_each: float = 0.1) -> dict[str, float]:
    """What each way adds to "bare", in microseconds: the median over the rounds."""
    counts = {name: calls_in(way, seconds_each / TURNS) for name, way in ways.items()}
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        spent = dict.fromkeys(ways, 0.0)
        for _ in range(TURNS):
            for name, way in ways.items():
                spent[name] += timed(way, counts[name])
        for name, seconds in spent.items():
            rounds[name].append(seconds / TURNS / counts[name] - spent["bare"] / TURNS / counts["bare"])
    return {name: statistics.median(found) * 1e6 for name, found in rounds.items() if name != "bare"}


def calls_in(way: Callable[[], object], seconds: float) -> int:
    timed(way, 50)
    return max(20, int(seconds / (timed(way, 200) / 200)))


def timed(way: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        way()
    return time.perf_counter() - began


def show(title: str, found: dict[str, float], targets: dict[str, float]) -> bool:
    """Print one table; whether every target (name: ours at most this share of it) is met."""
    print(f"\n{title:34}{'adds':>10}   ours is       to reach")
    print(f"  {OURS:32}{found[OURS]:7.2f} µs")
    met = True
    for name, microseconds in found.items():
        if name == OURS:
            continue
        share = found[OURS] / microseconds
        goal = f"1/{1 / targets[name]:.0f}" if name in targets else "–"
        met &= share <= targets.get(name, float("inf"))
        print(f"  {name:32}{microseconds:7.2f} µs   1/{1 / share:<8.1f}   {goal}")
    return met


def memory() -> bool:
    """Whether a request of 1,000 headers takes no more than one of 10."""
    peaks = {}
    wrapped = ASGIMiddleware(app)
    for count in (10, 1000, 10, 1000):
        scope = {"type": "http", "headers": [(f"x-header-{number}".encode(), b"value") for number in range(count)]}
        coroutine = wrapped(scope, nothing, nothing)
        tracemalloc.start()
        try:
            coroutine.send(None)
        except StopIteration:
            peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    print(f"\npeak memory of an untagged request: {peaks[10]} B with 10 headers, {peaks[1000]} B with 1,000")
    return abs(peaks[1000] - peaks[10]) < 100


def imports() -> bool:
    """Whether `import propagation` loads neither a client library nor the SDK."""
    code = "import sys, time; t = time.perf_counter(); import propagation; print(time.perf_counter() - t, *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"httpx", "httpx2", "requests", "urllib3", "aiohttp", "grpc", "celery", "confluent_kafka", "aiokafka"}
    found = sorted((heavy | {"opentelemetry.sdk"}) & set(out[1:]))
    print(f"import propagation: {float(out[0]) * 1e3:.0f} ms, of client libraries and SDK it loads: {found or 'none'}")
    return not found


def main() -> int:
    print(f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores, 10 headers, median of {ROUNDS}")
    met = show("ASGI, untagged", added(middleware(tagged=False)), {OTEL: 1 / 150, CORRELATION: 1 / 4})
    met &= show("ASGI, tagged", added(middleware(tagged=True)), {OTEL: 1 / 40, CORRELATION: 1})
    show("httpx, untagged", added(transports()), {})
    with use(env="gray"):
        met &= show("httpx, tagged", added(transports()), {OTEL: 1 / 5})
    met &= memory()
    met &= imports()
    print("\nevery ratio is reached" if met else "\na ratio is missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
