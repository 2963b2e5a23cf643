"""The other end of every call: for a while, each TCP connection goes to a server that only takes notes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from propagation.probe.redirect import Destinations, all_connections_lead_to
from propagation.probe.wire import SILENT, first_bytes, not_http

_TELEMETRY = ("/v1/traces", "/v1/metrics", "/v1/logs")  # OTLP's paths: what an exporter sends is nobody's call
_PATIENCE = 2.0  # seconds to wait for a client's first byte
_SHORT = 0.2  # the same for a destination whose clients have waited before
_POLL = 0.02  # seconds between two looks at whether to end
_BACKLOG = 128
_REST = 30.0  # seconds to wait for the next bytes of a request that has begun


class Call(NamedTuple):
    """One request that went out: header names in lower case, in order, each as often as it was sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The values of one header."""
        return [value for key, value in self.headers if key == name]


class Recorder:
    """Notes of what went out: the calls over plain HTTP, and the connections that spoke something else."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self._calls: list[Call] = []
        self._unread: list[str] = []
        self._silent: set[str] = set()
        self._lock = Lock()

    def take(self) -> list[Call]:
        """The calls since this was last asked."""
        with self._lock:
            calls, self._calls = self._calls, []
        return calls

    def take_unread(self) -> list[str]:
        """The connections since this was last asked that were no plain HTTP: "host:port: what it was"."""
        with self._lock:
            unread, self._unread = self._unread, []
        return unread

    def add(self, call: Call) -> None:
        """Note a call."""
        if urlsplit(call.url).path not in _TELEMETRY:
            with self._lock:
                self._calls.append(call)

    def add_unread(self, destination: str, what: str) -> None:
        """Note a connection that could not be looked into."""
        with self._lock:
            self._unread.append(f"{destination}: {what}")
            if what == SILENT:
                self._silent.add(destination)

    def patience(self, destination: str) -> float:
        """How many seconds to wait for the first byte."""
        with self._lock:
            return _SHORT if destination in self._silent else _PATIENCE


@contextmanager
def recording(reply: bytes = b"{}") -> Iterator[Recorder]:
    """Have every TCP connection of this process end at a Recorder, whatever its host; no name is looked up.

    reply: what each request is answered with, as JSON and with status 200. A connection that is no plain HTTP is
    closed, also where its client waits for the server to speak first. What does not use Python's sockets is not caught:
    grpc, uvloop, aiodns, libcurl.
    """
    recorder, destinations = Recorder(reply), Destinations()
    handler = _handler(recorder, destinations)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener,
        _accepting(listener, handler),
        all_connections_lead_to(listener.getsockname()[1], destinations),
    ):
        yield recorder


@contextmanager
def _accepting(listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> Iterator[None]:
    """Handle each connection in a thread of its own.

    Not by socketserver, whose selector gevent cannot replace where it was loaded before gevent patched the process.
    """
    ending, ended = Event(), Event()
    listener.settimeout(_POLL)

    def accept() -> None:
        while not ending.is_set():
            try:
                connection, address = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(None)
            Thread(target=handle, args=(connection, address), daemon=True).start()
        ended.set()

    def handle(connection: socket.socket, address: Any) -> None:
        with connection, suppress(OSError, ValueError):  # a client went away, or sent what is no number
            handler(connection, address, cast(Any, None))

    Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        ending.set()
        ended.wait()


def _handler(recorder: Recorder, destinations: Destinations) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REST

        def handle(self) -> None:
            destination = destinations.of(self.client_address[1])
            begun = first_bytes(self.connection, recorder.patience(destination))
            if (what := not_http(begun)) is not None:
                recorder.add_unread(destination, what)
            elif begun:
                super().handle()

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_") and name != "do_CONNECT":
                return self.note
            raise AttributeError(name)

        def note(self) -> None:
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

        def send_error(self, *_: Any) -> None:
            what = "TLS through a proxy" if self.command == "CONNECT" else "a request that cannot be read"
            recorder.add_unread(destinations.of(self.client_address[1]), what)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _read_body(handler: BaseHTTPRequestHandler) -> None:
    """Take in what is sent, so that the client is not cut off while it sends."""
    if "100-continue" in handler.headers.get("expect", "").lower():
        handler.send_response_only(100)
        handler.end_headers()
    handler.rfile.read(int(handler.headers.get("content-length") or 0))
    if "chunked" in handler.headers.get("transfer-encoding", ""):
        while size := int(handler.rfile.readline().partition(b";")[0] or b"0", 16):
            handler.rfile.read(size + 2)
        handler.rfile.readline()
