"""Two services behind real Envoys that log each request by OTLP, as sidecars do with docs/carry.md's `logFormat`.

`front` calls `stock`; each has a version gray and a version prod. `front` drops tags and request ids as it is told to.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker_process import free_port
from static_envoy import Json, cluster, envoy, listener

from meshconfig.carry import UNTAGGED, Workload
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.spec import LaneGroup

SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, blue: {}}
  services:
    front: {host: front, port: 80, calls: [stock], versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
    stock: {host: stock, port: 80, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
"""
STOCK = "outbound|80|{}|stock.demo.svc.cluster.local"
LOG_FORMAT = {
    "node": "%CEL(xds.node.id)%",
    "tag": "%REQ(ENV)%",
    "baggage": "%REQ(BAGGAGE)%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "code": "%RESPONSE_CODE%",
    "duration": "%DURATION%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "path": "%REQ(:PATH)%",
}
EXTENSIONS = "type.googleapis.com/envoy.extensions"
AT_ONCE = 8
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
HEADERS = ("env", "x-request-id")


def shop() -> LaneGroup:
    (group,) = groups(parse(SPEC, "shop.yaml"))
    return group.spec


def pod_of(workload: Workload) -> str:
    return f"demo/{workload.service}-{workload.version}-0"


WORKLOADS = {pod_of(one): one for one in (Workload(name, v) for name in ("front", "stock") for v in ("gray", "prod"))}


@dataclass
class Told:
    """What `front` does, and what was sent in truth.

    Parameters:
        loses: by version of `front`, the share of its calls that lose the tag.
        keeps_id: whether a version carries x-request-id on.
    """

    loses: dict[str, float] = field(default_factory=dict)
    keeps_id: Callable[[str], bool] = lambda version: True
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # caller's version, callee's, tag
    lost: Counter[str] = field(default_factory=Counter)
    draw: random.Random = field(default_factory=lambda: random.Random(20))


class Ports:
    """The ports of each workload: where its sidecar takes requests in and out, and where the application listens."""

    def __init__(self) -> None:
        self.inbound = {one: free_port() for one in WORKLOADS.values()}
        self.outbound = {one: free_port() for one in WORKLOADS.values()}
        self.application = {one: free_port() for one in WORKLOADS.values()}


@contextmanager
def sidecars(folder: Path, ports: Ports, receiver: int) -> Iterator[None]:
    """An Envoy for each workload, which logs to the receiver's port."""
    with ExitStack() as stack:
        for pod, workload in WORKLOADS.items():
            own = folder / workload.service / workload.version
            own.mkdir(parents=True)
            name, _, place = f"{pod.split('/')[1]}.demo~demo.svc.cluster.local".partition("~")
            stack.enter_context(
                envoy(own, *_sidecar(workload, ports, receiver), node=f"sidecar~127.0.0.1~{name}~{place}")
            )
        yield


def _sidecar(workload: Workload, ports: Ports, receiver: int) -> tuple[list[Json], list[Json]]:
    inside = f"inbound|{ports.application[workload]}||"
    tagged = {"name": "env", "string_match": {"exact": "gray"}}
    routes = [
        {"name": "gray", "match": {"prefix": "/", "headers": [tagged]}, "route": {"cluster": STOCK.format("gray")}},
        {"name": "default", "match": {"prefix": "/"}, "route": {"cluster": STOCK.format("prod")}},
    ]
    listeners = [
        listener("in", ports.inbound[workload], [_default(inside)], access_log=_log()),
        listener("out", ports.outbound[workload], routes, access_log=_log()),
    ]
    clusters = [
        cluster(inside, ports.application[workload]),
        *(cluster(STOCK.format(v), ports.inbound[Workload("stock", v)]) for v in ("gray", "prod")),
        cluster("otlp", receiver, typed_extension_protocol_options=_http2()),
    ]
    return listeners, clusters


def _default(to: str) -> Json:
    return {"name": "default", "match": {"prefix": "/"}, "route": {"cluster": to}}


def _http2() -> Json:
    kind = f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    return {kind.rpartition("/")[2]: {"@type": kind, "explicit_http_config": {"http2_protocol_options": {}}}}


def _log() -> list[Json]:
    """What istiod makes of an `envoyOtelAls` with these labels."""
    values = [{"key": name, "value": {"string_value": text}} for name, text in LOG_FORMAT.items()]
    config = {
        "@type": f"{EXTENSIONS}.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
        "common_config": {
            "log_name": "graylane",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "otlp"}},
        },
        "disable_builtin_labels": True,
        "attributes": {"values": values},
    }
    return [{"name": "otlp", "typed_config": config}]


@asynccontextmanager
async def applications(ports: Ports, told: Told) -> AsyncIterator[None]:
    """The four applications while the block runs."""
    async with AsyncExitStack() as stack:
        for workload in WORKLOADS.values():
            calls = None
            if workload.service == "front":
                calls = Client(ports.outbound[workload])
                stack.push_async_callback(calls.close)
            writers: list[asyncio.StreamWriter] = []
            answer = _answer(workload, calls, told, writers)
            server = await asyncio.start_server(answer, "127.0.0.1", ports.application[workload])
            stack.callback(server.close)
            stack.push_async_callback(_closed, writers)
        yield


def _answer(
    workload: Workload, calls: "Client | None", told: Told, writers: list[asyncio.StreamWriter]
) -> Callable[..., Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while head := await _head(reader):
            if calls:
                await _call(workload.version, head, calls, told)
            writer.write(OK)

    return answer


async def _closed(writers: Iterable[asyncio.StreamWriter]) -> None:
    for one in writers:
        one.close()
        with suppress(ConnectionError):
            await one.wait_closed()


async def _call(version: str, head: dict[str, str], calls: "Client", told: Told) -> None:
    """What `front` does for one request: it calls `stock`, with what it carries on."""
    headers = {name: head[name] for name in HEADERS if name in head}
    if "env" in headers and told.draw.random() < told.loses.get(version, 0):
        del headers["env"]
        told.lost[version] += 1
    if not told.keeps_id(version):
        headers.pop("x-request-id", None)
    tag = headers.get("env", UNTAGGED)
    told.calls[version, "gray" if tag == "gray" else "prod", tag] += 1
    await calls.get("/stock", headers)


class Client:
    """GET requests over connections that are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str, headers: dict[str, str]) -> None:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\nhost: stock\r\n{lines}\r\n".encode())
        status = await _head(reader)
        assert status[""].split()[1] == "200", status
        self._idle.append((reader, writer))

    async def close(self) -> None:
        await _closed(writer for _, writer in self._idle)


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """The headers of a message without a body, its first line under an empty name; empty at the end of a connection."""
    try:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return {}
    return {"": first, **{name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}}


async def send(ports: Ports, told: Told, lanes: Sequence[str]) -> None:
    """A request of each lane to `front`, several at once, through its sidecar."""
    clients = {version: Client(ports.inbound[Workload("front", version)]) for version in ("gray", "prod")}
    left = iter(lanes)

    async def one_after_the_other() -> None:
        for lane in left:
            headers = {} if lane == UNTAGGED else {"env": lane}
            await clients["gray" if lane == "gray" else "prod"].get("/", headers)

    async with applications(ports, told):
        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        for one in clients.values():
            await one.close()
