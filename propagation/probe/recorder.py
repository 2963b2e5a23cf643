"""The other end of every call: for a while, each TCP connection goes to a server that only takes notes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import urlsplit

_TELEMETRY = ("/v1/traces", "/v1/metrics", "/v1/logs")  # OTLP's paths: what an exporter sends is nobody's call
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Call(NamedTuple):
    """One request that went out: header names in lower case, in order, each as often as it was sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The values of one header."""
        return [value for key, value in self.headers if key == name]


class Recorder:
    """Notes of what went out. unread: connections that spoke something else than plain HTTP, such as TLS."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.unread = 0
        self._calls: list[Call] = []
        self._lock = Lock()

    def take(self) -> list[Call]:
        """The calls since this was last asked."""
        with self._lock:
            calls, self._calls = self._calls, []
        return calls

    def add(self, call: Call) -> None:
        """Note one."""
        if urlsplit(call.url).path not in _TELEMETRY:
            with self._lock:
                self._calls.append(call)


@contextmanager
def recording(reply: bytes = b"{}") -> Iterator[Recorder]:
    """Have every TCP connection of this process end at a Recorder, whatever its host; no name is looked up.

    reply: what each request is answered with, as JSON and with status 200. What does not use Python's sockets is not
    caught: grpc, uvloop, aiodns.
    """
    recorder = Recorder(reply)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(recorder)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            with _all_lead_to(server.server_port):
                yield recorder
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _all_lead_to(port: int) -> Iterator[None]:
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def here(sock: socket.socket, address: Any) -> Any:
        if sock.type != socket.SOCK_STREAM:
            return address
        return {socket.AF_INET: ("127.0.0.1", port), socket.AF_INET6: ("::ffff:127.0.0.1", port)}.get(
            sock.family, address
        )

    def looked_up(host: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    with (
        patch.object(socket, "getaddrinfo", looked_up),
        patch.object(socket.socket, "connect", lambda sock, address: connect(sock, here(sock, address))),
        patch.object(socket.socket, "connect_ex", lambda sock, address: connect_ex(sock, here(sock, address))),
    ):
        yield


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    def note(self: BaseHTTPRequestHandler) -> None:
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        url = self.path if "://" in self.path else f"http://{self.headers.get('host', '')}{self.path}"
        recorder.add(Call(self.command, url, headers))
        _read_body(self)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(recorder.reply)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(recorder.reply)

    def unread(self: BaseHTTPRequestHandler, *_: Any) -> None:
        recorder.unread += 1
        self.close_connection = True

    methods = {f"do_{method}": note for method in _METHODS}
    return type("_Handler", (BaseHTTPRequestHandler,), {**methods, "send_error": unread, "log_message": _silent})


def _read_body(handler: BaseHTTPRequestHandler) -> None:
    """Take in what is sent, so that the client is not cut off while it sends."""
    handler.rfile.read(int(handler.headers.get("content-length") or 0))
    if "chunked" in handler.headers.get("transfer-encoding", ""):
        while size := int(handler.rfile.readline().partition(b";")[0] or b"0", 16):
            handler.rfile.read(size + 2)
        handler.rfile.readline()


def _silent(*_: Any) -> None:
    pass
