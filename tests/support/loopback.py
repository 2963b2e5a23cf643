"""An HTTP server on loopback that keeps what it was sent: the other end of every client under test."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Seen(NamedTuple):
    """One request as it arrived; header names in lower case, in order, each as often as it came."""

    path: str
    host: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def ours(self):
        """What concerns propagation; what came twice shows as "twice: …"."""
        values = {name: self.all(name) for name in ("env", "baggage")}
        return {name: one[0] if len(one) == 1 else f"twice: {one}" for name, one in values.items() if one}


class Loopback:
    """`/` answers 200, `/to?URL` redirects to URL, `/flaky` answers 503 once and 200 after."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.under_another_name = f"http://localhost:{port}"
        self.seen = []
        self.trail = {}  # by path, "*" for every other: the lines of the trail in its answer
        self._flaky = True

    def receive(self, seen):
        """Keep a request; the answer's status and Location."""
        self.seen.append(seen)
        parts = urlsplit(seen.path)
        if parts.path == "/to":
            return 302, parts.query
        if parts.path == "/flaky" and self._flaky:
            self._flaky = False
            return 503, None
        return 200, None

    def by_number(self):
        """The requests that carry a number in their query, by it."""
        return {int(parse_qs(urlsplit(seen.path).query)["n"][0]): seen for seen in self.seen}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    loopback: Loopback


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name in ("do_GET", "do_POST"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        seen = Seen(self.path, self.headers.get("Host", ""), headers, body)
        status, location = self.server.loopback.receive(seen)
        self.send_response(status)
        trail = self.server.loopback.trail
        for line in trail.get(urlsplit(self.path).path, trail.get("*", ())):
            self.send_header("X-Graylane-Trail", line)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """A Loopback, for the time of the block."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.loopback = Loopback(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.loopback
        finally:
            server.shutdown()
            thread.join()
