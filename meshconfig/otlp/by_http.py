"""OTLP over HTTP, with protobuf: POST /v1/logs.

Source: OpenTelemetry, "OTLP/HTTP": 503 asks a sender to retry, 400 to drop what it sent.
"""

import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from meshconfig.errors import GraylaneError
from meshconfig.otlp.decode import ACCEPTED, decode
from meshconfig.otlp.intake import LARGEST, Intake
from meshconfig.otlp.listen import Listen

PATH, PROTOBUF = "/v1/logs", "application/x-protobuf"
_AT_ONCE = 64  # connections; further ones wait in the socket's queue
_PATIENCE = 2.0  # seconds for which the next one may wait; then it is closed
_SILENCE = 30.0  # seconds after which a connection that sends nothing is closed
_GZIP = 16 + zlib.MAX_WBITS


class _RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    intake: Intake

    def __init__(self, address: tuple[str, int], intake: Intake) -> None:
        self.intake = intake
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(timeout=_PATIENCE):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE

    def do_POST(self) -> None:
        try:
            message = self._message()
            records = decode(message)
        except _RefusedError as error:
            self.close_connection = True  # what it sent may be left unread
            self._answer(error.status, str(error).encode(), "text/plain")
            return
        except ValueError as error:
            self._answer(400, str(error).encode(), "text/plain")
            return
        if self.server.intake.offer(records, len(message)):
            self._answer(200, ACCEPTED, PROTOBUF)
        else:
            self._answer(503, b"the receiver does not keep up: send it again later", "text/plain")

    def _message(self) -> bytes:
        if self.path.partition("?")[0] != PATH:
            raise _RefusedError(404, f"logs go to {PATH}")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != PROTOBUF:
            raise _RefusedError(415, f"takes {PROTOBUF}")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _RefusedError(411, "needs a Content-Length")
        if len(length) > 10 or int(length) > LARGEST:
            raise _RefusedError(413, f"takes at most {LARGEST} bytes")
        body = self.rfile.read(int(length))
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding == "gzip":
            return _unzipped(body)
        if encoding not in ("", "identity"):
            raise _RefusedError(415, "takes gzip, or no Content-Encoding")
        return body

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing is printed of requests."""


def _unzipped(body: bytes) -> bytes:
    unzip = zlib.decompressobj(_GZIP)
    try:
        found = unzip.decompress(body, LARGEST)
    except zlib.error:
        raise _RefusedError(400, "is not gzip") from None
    if unzip.unconsumed_tail:
        raise _RefusedError(413, f"takes at most {LARGEST} bytes, unzipped too")
    if not unzip.eof:
        raise _RefusedError(400, "is cut-off gzip")
    return found


@contextmanager
def serving(at: Listen, intake: Intake) -> Iterator[int]:
    """Receive while the block runs.

    Yields:
        the port, where 0 was asked for.

    Raises:
        GraylaneError: the address cannot be listened on.
    """
    try:
        server = _Server((at.host, at.port), intake)
    except OSError as error:
        raise GraylaneError(f"cannot listen on {at}: {error.strerror}") from None
    thread = threading.Thread(target=server.serve_forever, name="otlp-http", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
