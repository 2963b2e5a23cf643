"""Servers on loopback that misbehave as real ones do: they hang, drip, reset, redirect, flood, or are somebody else."""

import gzip
import socket
import socketserver
import ssl
import struct
import threading
from contextlib import contextmanager
from typing import Any

PATIENCE = 1000  # so many bytes are dripped: a client that does not end by itself fails, and does not hang
ELSEWHERE = "/elsewhere/T0K3N"
BOMB = gzip.compress(b"[" + b" " * (64 << 20) + b"]", 9)


def _head(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode()


def _whole(body, status="200 OK", *headers):
    return lambda peer: peer.say(_head(status, f"Content-Length: {len(body)}", *headers) + body)


def _hang(peer):
    peer.released.wait(PATIENCE * 0.02)


def _drip_headers(peer):
    peer.say(b"HTTP/1.1 200 OK\r\nX-Long: ")
    peer.drip(b"x")


def _drip_body(peer):
    peer.say(_head("200 OK", "Content-Length: 1000000"))
    peer.drip(b" ")


def _drip_interim(peer):
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def _reset(peer):
    peer.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _truncated(peer):
    peer.say(_head("200 OK", "Content-Length: 1000") + b'{"items": [')


def _endless(peer):
    peer.say(_head("200 OK"))
    while True:
        peer.say(b" " * (1 << 16))


def _chunks(peer):
    """A chunk whose length has no end."""
    peer.say(_head("200 OK", "Transfer-Encoding: chunked"))
    while True:
        peer.say(b"0" * (1 << 16))


def _redirect(peer):
    where = f"http://admin:H1DD3N@127.0.0.1:{peer.server.elsewhere}{ELSEWHERE}"
    peer.say(_head("307 Temporary Redirect", f"Location: {where}", "Content-Length: 0"))


FAULTS = {
    "hang": _hang,
    "drip headers": _drip_headers,
    "drip body": _drip_body,
    "drip interim answers": _drip_interim,
    "reset": _reset,
    "no HTTP": lambda peer: peer.say(b"220 mail.example.com ESMTP\r\n"),
    "html": _whole(b"<html>log in</html>"),
    "empty": _whole(b""),
    "truncated": _truncated,
    "other JSON": _whole(b'{"kind": ["Status"], "items": [1, {"metadata": []}], "data": {"result": {"a": 1}}}'),
    "deep JSON": _whole(b"[" * 200_000),
    "html 403": _whole(b"<html>\x1b[2J\nforbidden</html>", "403 Forbidden"),
    "odd status object": _whole(
        b'{"message": {"a": 1}, "reason": [], "details": {"causes": [1, {"field": 2}]}}', "422 X"
    ),
    "gzip bomb": _whole(BOMB, "200 OK", "Content-Encoding: gzip"),
    "other packing": _whole(b"x", "200 OK", "Content-Encoding: br"),
    "endless": _endless,
    "endless chunk": _chunks,
    "redirect": _redirect,
}


class _Peer(socketserver.BaseRequestHandler):
    server: "Server"

    def handle(self):
        try:
            if self.server.tls:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.seen.append(self._read())
            self.released = self.server.released
            self.server.fault(self)
        except OSError:  # the client went away, as it should
            pass
        finally:
            self.request.close()

    def _read(self):
        """The request's head, and as much of its body as has come."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(65536)
            if not more:
                raise OSError("gone")
            data += more
            if data[:1] == b"\x16":  # TLS; a server without it takes that for a bad request
                self.say(_head("400 Bad Request"))
                raise OSError("TLS")
        return data

    def say(self, data):
        self.request.sendall(data)
        self.server.sent += len(data)

    def drip(self, data):
        for _ in range(PATIENCE):
            if self.released.wait(0.02):
                return
            self.say(data)


class Server(socketserver.ThreadingTCPServer):
    """`seen`: the requests; `sent`: the bytes of the answers; `released` ends what hangs;
    `elsewhere`: the port to which it redirects."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, fault, tls=None):
        super().__init__(("127.0.0.1", 0), _Peer)
        self.fault, self.tls, self.seen, self.released, self.elsewhere = fault, tls, [], threading.Event(), 0
        self.sent = 0  # bytes
        self.target: Any = None

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        pass


@contextmanager
def misbehaving(fault, tls: ssl.SSLContext | None = None):
    """A server with one fault, for the time of the block; what it redirects to is `server.target`."""
    target = Server(_whole(b"{}"))
    server = Server(FAULTS[fault] if isinstance(fault, str) else fault, tls)
    server.elsewhere, server.target = target.port, target
    threads = [threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True) for one in (server, target)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.released.set()
        for one in (server, target):
            one.shutdown()
            one.server_close()
