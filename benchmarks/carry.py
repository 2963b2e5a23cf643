"""What carrying the tag costs, beside what others add to the same request: ratios inside one run.

    python benchmarks/carry.py [--markdown]

The ways take turns of two milliseconds, so that whatever else the machine does hits all of them. What one adds is its
CPU time for a request less that of the bare way in the same round; the median of the rounds counts. OpenTelemetry runs
with its SDK and exports nothing. Ends with 1 where a ratio is missed. --markdown prints the table of README.md.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date
from typing import Any, NamedTuple

import carry_ways as ways
from carry_ways import BARE, CORRELATION, OTEL, OURS, STARLETTE, Way

from propagation import ASGIMiddleware, use

ROUNDS = 301
TURN = 0.002  # seconds of each way in each round
TRAIL_AT_MOST = 2.0  # µs


class Row(NamedTuple):
    """A comparison. targets: by name of another way, which share of what it adds ours may add."""

    title: str
    ways: Callable[[], dict[str, Way]]
    targets: dict[str, float]
    calls: bool = False  # whether these are calls that a tagged request makes


ROWS = [
    Row("ASGI middleware, untagged", lambda: ways.asgi(tagged=False), {OTEL: 1 / 250, CORRELATION: 1 / 4}),
    Row("ASGI middleware, tagged", lambda: ways.asgi(tagged=True), {OTEL: 1 / 60, CORRELATION: 1}),
    Row("WSGI middleware, untagged", lambda: ways.wsgi(tagged=False), {OTEL: 1 / 5}),
    Row("WSGI middleware, tagged", lambda: ways.wsgi(tagged=True), {OTEL: 1 / 5}),
    Row("httpx transport, tagged", ways.httpx_transports, {OTEL: 1 / 20}, calls=True),
    Row("requests adapter, tagged", ways.requests_sessions, {OTEL: 1 / 5}, calls=True),
    Row("aiohttp middleware, tagged", ways.aiohttp_sessions, {OTEL: 1 / 5}, calls=True),
]
COLUMNS = ("", "added to a request", "of OpenTelemetry's", "of asgi-correlation-id's")


def added(compared: dict[str, Way]) -> dict[str, float]:
    """What each way adds to the bare one, in microseconds of CPU time: the median over the rounds."""
    counts = {name: calls_in(way, TURN) for name, way in compared.items()}
    rounds: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(ROUNDS):
        each = {name: timed(way, counts[name]) for name, way in compared.items()}
        for name, seconds in each.items():
            rounds[name].append(seconds - each[BARE])
    return {name: statistics.median(found) * 1e6 for name, found in rounds.items() if name != BARE}


def calls_in(way: Way, seconds: float) -> int:
    timed(way, 50)
    return max(5, int(seconds / min(timed(way, 50) for _ in range(5))))


def timed(way: Way, count: int) -> float:
    """Seconds of CPU time for one request."""
    began = time.thread_time()
    way(count)
    return (time.thread_time() - began) / count


def measured(row: Row) -> dict[str, float]:
    with use(env="gray") if row.calls else nullcontext():
        return added(row.ways())


def show(row: Row, found: dict[str, float]) -> bool:
    """Print one comparison; whether every target is met."""
    print(f"\n{row.title:34}{'adds':>10}   ours is       to reach")
    print(f"  {OURS:32}{found[OURS]:7.2f} µs")
    met = True
    for name in (OTEL, CORRELATION, STARLETTE):
        if name in found:
            share = found[OURS] / found[name]
            goal = f"1/{1 / row.targets[name]:.0f}" if name in row.targets else "–"
            met &= share <= row.targets.get(name, float("inf"))
            print(f"  {name:32}{found[name]:7.2f} µs   1/{1 / share:<8.1f}   {goal}")
    return met


def markdown(results: list[tuple[str, dict[str, float]]]) -> Iterator[str]:
    """The table of README.md, a line each."""
    yield f"| {' | '.join(COLUMNS)} |".replace("|  |", "| |")
    yield "|---" * len(COLUMNS) + "|"
    for title, found in results:
        shares = [f"1/{found[name] / found[OURS]:.3g}" if name in found else "" for name in (OTEL, CORRELATION)]
        yield f"| {title} | {found[OURS]:.2g} µs | {' | '.join(shares)} |".replace("|  |", "| |")


def trail() -> bool:
    """Whether the trail adds little to a tagged request."""
    server, call = (added(found)[OURS] for found in (ways.trail(calls=0), ways.trail(calls=1)))
    print(f"\nthe trail adds to a tagged request {server:.2f} µs, and {call - server:.2f} µs for a call by httpx")
    print(f"  (to reach: at most {TRAIL_AT_MOST:g} µs for the request)")
    return server <= TRAIL_AT_MOST


def memory() -> bool:
    """Whether a request of 1,000 headers takes no more than one of 10."""
    met = True
    for kind, last in (("untagged", []), ("tagged", [(b"env", b"gray")])):
        peaks = {}
        for count in (10, 1000, 10, 1000):
            peaks[count] = peak([(f"x-header-{number}".encode(), b"value") for number in range(count)] + last)
        print(f"\npeak memory of a request, {kind}: {peaks[10]} B with 10 headers, {peaks[1000]} B with 1,000")
        met &= abs(peaks[1000] - peaks[10]) < 100
    return met


def peak(headers: list[tuple[bytes, bytes]]) -> int:
    """Bytes that one request through the middleware takes at most."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    running: Any = ASGIMiddleware(app)({"type": "http", "headers": headers}, ways.nothing, ways.nothing)
    tracemalloc.start()
    try:
        running.send(None)
    except StopIteration:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    raise AssertionError("the app waited")


def imports() -> bool:
    """Whether `import propagation` loads neither a client library nor the SDK."""
    code = "import sys, time; t = time.perf_counter(); import propagation; print(time.perf_counter() - t, *sys.modules)"
    took, *loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    heavy = {"httpx", "httpx2", "requests", "urllib3", "aiohttp", "grpc", "celery", "confluent_kafka", "aiokafka"}
    found = sorted((heavy | {"opentelemetry.sdk"}) & set(loaded))
    print(f"\nimport propagation: {float(took) * 1e3:.1f} ms; client libraries and SDK loaded: {found or 'none'}")
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the table of README.md at the end")
    given = parser.parse_args()
    print(f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"10 headers, CPU time, median of {ROUNDS} rounds")
    results = [(row, measured(row)) for row in ROWS]
    shown = [show(row, found) for row, found in results]
    met = all([*shown, trail(), memory(), imports()])
    print("\nevery ratio is reached" if met else "\na ratio is missed")
    if given.markdown:
        print("", *markdown([(row.title, found) for row, found in results]), sep="\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
