"""What a connection speaks, told by its first bytes, which stay there to be read."""

import re
import socket
import time

SILENT = "its client waits for the server to speak first, as those of MySQL, SMTP and NATS do"
_METHOD = re.compile(rb"[A-Z]{1,20}( [^\r\n]*)?\Z")
_LINE = re.compile(rb"[A-Z]{1,20} [^\r\n]+ HTTP/1\.[01]\r?\Z")
_TLS = b"\x16\x03"
_HTTP_2 = b"PRI * HTTP/2.0"
_MOST = 65536  # bytes of a request line, as http.server takes them


def first_bytes(connection: socket.socket, seconds: float) -> bytes | None:
    """The first bytes of a client: its first line, or less where that is no HTTP. None if it sends nothing in time.

    seconds: how long to wait for the first byte, and after it for the rest. Empty where the client has gone.
    """
    before = connection.gettimeout()
    try:
        return _peek(connection, seconds)
    except OSError:
        return b""
    finally:
        connection.settimeout(before)


def _peek(connection: socket.socket, seconds: float) -> bytes | None:
    end, found = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            now = connection.recv(_MOST, socket.MSG_PEEK)
        except TimeoutError:
            break
        if not now or b"\n" in now or len(now) == _MOST or not _METHOD.match(now):
            return now
        if now == found:  # nothing new: a peek does not wait for more
            time.sleep(0.005)
        else:
            found, end = now, time.monotonic() + seconds
    return found or None


def not_http(begun: bytes | None) -> str | None:
    """What a connection with these first bytes is, None where it is plain HTTP/1 or nothing at all."""
    if begun is None:
        return SILENT
    line = begun.partition(b"\n")[0]
    if not begun or _LINE.match(line):
        return None
    if begun.startswith(_TLS):
        return "TLS"
    return "HTTP/2" if begun.startswith(_HTTP_2) else "no HTTP"
