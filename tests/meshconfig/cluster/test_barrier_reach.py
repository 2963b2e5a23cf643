"""How istiod's debug pages are reached: by port-forward, by the API server's pod proxy, by an address, or not."""

import base64
import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, ClassVar

import pytest
from kubernetes.client import ApiClient, Configuration

from meshconfig.cluster.barrier import Barrier, Reach, StepChange, Verification, istiod
from meshconfig.cluster.client import Client
from meshconfig.exchange.send import Limits

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
PAGES = {"/debug/syncz": [], "/debug/configz": []}
SIDECAR = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Sidecar",
    "metadata": {"name": "default", "namespace": "demo", "uid": "u", "generation": 1},
}


def pod(name: str, *, ready: bool = True, leaving: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


class Cluster(BaseHTTPRequestHandler):
    """An API server that lists Pods and forwards to their debug pages, as far as `ways` says."""

    protocol_version = "HTTP/1.1"
    pods: ClassVar[list[dict[str, Any]]] = []
    ways: ClassVar[set[str]] = set()
    seen: ClassVar[list[str]] = []
    released: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.seen.append(path)
        if path.endswith("/portforward") and "hang" in self.ways:
            self.released.wait(60)
            self.close_connection = True
        elif path.endswith("/portforward"):
            self._forward() if "forward" in self.ways else self._say(
                403, {"message": "pods/portforward is not allowed"}
            )
        elif "/proxy/" in path:
            page = path.partition("/proxy")[2]
            self._say(200, PAGES[page]) if "proxy" in self.ways else self._say(401, "")
        else:
            self._say(200, {"apiVersion": "v1", "items": self.pods})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _forward(self) -> None:
        key = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode(), usedforsecurity=False).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(key).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        for channel in (b"\0", b"\1"):
            self._frame(channel + struct.pack("<H", 15014))
        while (request := self._request()) is not None:
            if "drip" in self.ways:
                self._drip()
                break
            if "redirect" in self.ways:
                self._frame(b"\0HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
                continue
            page = b"[" * 200_000 if "deep" in self.ways else json.dumps(PAGES[request]).encode()
            page = b" " * 50_000 if "large" in self.ways else page[:60_000]
            self._frame(b"\0HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        self.close_connection = True

    def _drip(self) -> None:
        self._frame(b"\0HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            if self.released.wait(0.02):
                break
            self._frame(b"\0 ")
        self.close_connection = True

    def _frame(self, data: bytes) -> None:
        self.wfile.write(b"\x82\x7e" + struct.pack(">H", len(data)) + data)
        self.wfile.flush()

    def _request(self) -> str | None:
        text = b""
        while b"\r\n\r\n" not in text:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return None
            size = head[1] & 127
            size = struct.unpack(">H", self.rfile.read(2))[0] if size == 126 else size
            mask, data = self.rfile.read(4), self.rfile.read(size)
            text += bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))[1:]
        return BytesIO(text).readline().split()[1].decode()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def cluster(*ways: str, pods: list[dict[str, Any]]) -> Iterator[Client]:
    settings = {"pods": pods, "ways": set(ways), "seen": [], "released": threading.Event()}
    handler: Any = type("Handler", (Cluster,), settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api = ApiClient(Configuration(host=f"http://127.0.0.1:{server.server_port}"))
    try:
        yield Client(api)
    finally:
        handler.released.set()
        api.rest_client.pool_manager.clear()
        server.shutdown()
        thread.join()
        server.server_close()


ALL = [pod("istiod-1"), pod("istiod-2"), pod("starting", ready=False), pod("leaving", leaving=True)]


@pytest.mark.parametrize("way", ["forward", "proxy"])
def test_every_istiod_that_is_ready_is_asked(way: str) -> None:
    with cluster(way, pods=ALL) as client:
        assert Barrier(client).reach() == Reach(("istiod-1", "istiod-2"))


@pytest.mark.parametrize("way", ["forward", "proxy"])
def test_what_no_proxy_hears_of_holds_once_each_istiod_has_read_it(way: str) -> None:
    with cluster(way, pods=ALL) as client, pytest.MonkeyPatch.context() as patch:
        patch.setitem(PAGES, "/debug/configz", [SIDECAR])
        assert Barrier(client, timeout=20).holds(StepChange((SIDECAR,))) is Verification.VERIFIED


def test_a_refusal_says_how_it_was_tried_and_is_waited_out() -> None:
    with cluster(pods=ALL[:1]) as client:
        barrier = Barrier(client, wait=0)
        reach = barrier.reach()
        assert reach.istiods == ()
        assert "istiod-1 cannot be read: by port-forward" in reach.reason
        assert "by the API server's pod proxy" in reach.reason
        assert barrier.holds(StepChange((SIDECAR,))) is Verification.UNVERIFIED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ways", "said"),
    [
        (("hang",), "by port-forward: timed out: not open within 1 s"),
        (("forward", "drip"), "by port-forward: timed out: no complete answer within 1 s"),
        (("forward", "large"), "by port-forward: the answer has more than 16 KiB"),
        (("forward", "deep"), "what answers there is no debug page of istiod"),
        (("forward", "redirect"), "answers 307 to its debug pages"),
    ],
)
def test_a_port_forward_that_hangs_drips_or_floods_is_given_up(ways: tuple[str, ...], said: str) -> None:
    with cluster(*ways, pods=ALL[:1]) as client, pytest.MonkeyPatch.context() as patch:
        size = 1 << 20 if "deep" in ways else 1 << 14
        patch.setattr(istiod, "LIMITS", Limits(1.0 if {"hang", "drip"} & set(ways) else 30.0, size))
        reach = Barrier(client).reach()
    assert reach.istiods == ()
    assert said in reach.reason
    assert reach.reason.isprintable()


def test_without_istiod_the_reason_names_the_label_and_namespace() -> None:
    with cluster(pods=[]) as client:
        assert Barrier(client, namespace="mesh").reach().reason == "no Pod with the label app=istiod is ready in mesh"


def test_a_change_of_workloads_alone_asks_no_istiod() -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}}
    assert Barrier(None).holds(StepChange((deployment,))) is Verification.VERIFIED
