"""What lanes cost in the data path: latency and requests a second through the local Envoy, beside one plain route.

    python benchmarks/lanes.py

One Envoy serves a service with 1, 10, 50 and 200 lanes and one with a single plain route; all lead to the same backend.
Untagged requests pass every lane's match before the default: the worst case. Rounds alternate between the services, and
each is bounded in count, so it ends by itself.

Then the same at the gateway, for a sticky split with 100 buckets beside a plain route: users of the last bucket, which
pass the lane's regex, and users without one, who are drawn and set a cookie.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml

from meshconfig.compile import compile_group
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, EnvoyConfig, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.processes import Reaper
from meshconfig.local.proxy import EnvoyProcess
from meshconfig.local.surroundings import resources

LANES = (1, 10, 50, 200)
ROUNDS, REQUESTS, PARTS = 7, 1500, 10
CONNECTIONS, EACH = 16, 250
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
GATEWAY = "gateway|80|istio=ingressgateway"
BUCKETS, KEPT = 100, b"cookie: theme=dark; graylane-bucket=99\r\n"
HEADERS = b"".join(b"x-header-%d: value\r\n" % number for number in range(8))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, Reaper(Path(folder)) as reaper:
        asyncio.run(measure(Path(folder), reaper))
    return 0


async def measure(folder: Path, reaper: Reaper) -> None:
    backend = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = backend.sockets[0].getsockname()[1]
    models = [*(model(lanes) for lanes in LANES), entries()]
    given = resources(models)
    endpoints = [
        Endpoint(service.host, service.port, dict(subset.labels), "127.0.0.1", port)
        for one in models
        for service in one.services
        for subset in service.subsets
    ]
    proxy = EnvoyProcess(folder, reaper)
    log = await proxy.start()
    reading = asyncio.create_task(log.read())
    try:
        config = translate(given, endpoints)
        await proxy.open(config, {})
        await proxy.change(config)
        ports = {lanes: proxy.addresses[mesh_listener(f"s{lanes}-svc.demo.svc.cluster.local", 80)] for lanes in LANES}
        ports[0] = proxy.addresses[mesh_listener("plain-svc.demo.svc.cluster.local", 80)]
        await report(ports)
        await report_sticky(proxy.addresses[GATEWAY], routes_of(config))
    finally:
        await proxy.stop()
        await reading
        backend.close()


def model(lanes: int):
    """A service with so many lanes; beside the first, one with a single plain route."""
    names = ["prod", *(f"lane-{number}" for number in range(1, lanes))]
    versions = {name: {"labels": {"env": name}} for name in names}
    services = {f"s{lanes}": {"host": f"s{lanes}-svc", "port": 80, "versions": versions}}
    if lanes == LANES[0]:
        # Its only version is nobody's lane: no route asks for the tag, and the default alone is left.
        services["plain"] = {
            "host": "plain-svc",
            "port": 80,
            "versions": {"v1": {"labels": {"env": "v1"}}},
            "default": "v1",
        }
    return compiled(f"g{lanes}", {"lanes": {name: {} for name in names}, "services": services})


def entries():
    """A host with one plain route beside one whose split is sticky."""
    versions = {name: {"labels": {"env": name}} for name in ("prod", "gray")}
    shop = {"host": "shop-svc", "port": 80, "versions": versions}
    alone = {"host": "alone-svc", "port": 80, "versions": {"v1": {"labels": {"env": "v1"}}}, "default": "v1"}
    sticky = {"split": {"gray": 50, "prod": 50}, "sticky": {"buckets": BUCKETS}}
    untrusted = {"tag": "untrusted"}
    listed = [
        {"hosts": ["plain.example.com"], **untrusted, "routes": [{"service": "alone"}]},
        {"hosts": ["sticky.example.com"], **untrusted, **sticky, "routes": [{"service": "shop"}]},
    ]
    spec = {"lanes": {"prod": {}, "gray": {}}, "services": {"shop": shop, "alone": alone}, "entries": listed}
    return compiled("entries", spec)


def compiled(name: str, spec):
    value = {"apiVersion": "graylane.dev/v1", "kind": "LaneGroup", "metadata": {"name": name, "namespace": "demo"}}
    (group,) = groups(parse(yaml.safe_dump({**value, "spec": spec}), "benchmark"))
    return compile_group(group.spec)


def routes_of(config: EnvoyConfig) -> dict[str, int]:
    """The number of Envoy's routes of each host at the gateway."""
    return {host["domains"][0]: len(host["routes"]) for host in config.routes[GATEWAY]["virtual_hosts"]}


async def report_sticky(port: int, routes: dict[str, int]) -> None:
    plain, sticky, drawn = "plain.example.com", "sticky.example.com", b"cookie: theme=dark\r\n"
    asked = {"plain": (plain, KEPT), "again": (plain, KEPT), "bucket": (sticky, KEPT), "drawn": (sticky, drawn)}
    latencies: dict[str, list[float]] = {name: [] for name in asked}
    chance = random.Random(1)
    for _ in range(ROUNDS * PARTS):  # short turns in any order: what else the machine does then falls on all alike
        for name in chance.sample(list(asked), len(asked)):
            latencies[name] += await one_connection(port, REQUESTS // PARTS, *asked[name])
    print(f"\na sticky split with {BUCKETS} buckets, {ROUNDS * REQUESTS:,} requests each; `again` shows the noise\n")
    print(f"{'users':>6}{'Envoy routes':>14}{'p5 us':>9}{'added':>8}{'p50 us':>9}{'added':>8}")
    for name, (host, _) in asked.items():
        parts = zip(low_and_median(latencies[name]), low_and_median(latencies["plain"]), strict=True)
        shown = "".join(f"{own * 1e6:9.0f}{100 * (own / other - 1):+7.1f}%" for own, other in parts)
        print(f"{name:>6}{routes[host]:14}{shown}")


def low_and_median(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return cuts[0], cuts[9]


async def report(ports: dict[int, int]) -> None:
    latencies: dict[int, list[float]] = {lanes: [] for lanes in sorted(ports)}
    rates: dict[int, list[float]] = {lanes: [] for lanes in sorted(ports)}
    for _ in range(ROUNDS):
        for lanes, port in sorted(ports.items()):
            latencies[lanes] += await one_connection(port, REQUESTS)
            rates[lanes].append(await many_connections(port))
    plain = quantiles(latencies[0])
    rate = statistics.median(rates[0])
    print(f"{os.cpu_count()} cores, {ROUNDS} alternating rounds, {ROUNDS * REQUESTS:,} requests each, untagged\n")
    print(f"{'lanes':>6}{'p50 us':>9}{'added':>8}{'p99 us':>9}{'added':>8}{'requests/s':>12}{'of plain':>10}")
    for lanes in sorted(ports):
        p50, p99 = quantiles(latencies[lanes])
        each = statistics.median(rates[lanes])
        name = str(lanes) if lanes else "plain"
        print(
            f"{name:>6}{p50 * 1e6:9.0f}{(p50 - plain[0]) * 1e6:+8.0f}{p99 * 1e6:9.0f}{(p99 - plain[1]) * 1e6:+8.0f}"
            f"{each:12,.0f}{each / rate:10.2f}"
        )


def quantiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49], cuts[98]


async def one_connection(port: int, count: int, host: str = "bench", more: bytes = b"") -> list[float]:
    """Seconds of each of `count` requests, one after the other.

    Parameters:
        more: further headers, as they are sent.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"GET / HTTP/1.1\r\nhost: " + host.encode() + b"\r\n" + HEADERS + more + b"\r\n"
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        taken.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"not answered at {port}: {head!r}")
    writer.close()
    return taken


async def many_connections(port: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(one_connection(port, EACH) for _ in range(CONNECTIONS)))
    return CONNECTIONS * EACH / (time.perf_counter() - started)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


if __name__ == "__main__":
    sys.exit(main())
