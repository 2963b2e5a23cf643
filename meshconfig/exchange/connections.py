"""Connections of urllib3 whose time-out holds for a whole exchange, and that lead to allowed addresses only."""

import io
import ipaddress
import socket
import ssl
import time
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from meshconfig.errors import GraylaneError
from meshconfig.exchange.allowed import OPTION, Allowed

clock = time.monotonic


class AddressRefusedError(GraylaneError):
    """A host may not be reached; the message says what would allow it."""


class DeadlineSocket:
    """A socket whose time-out is the time for all that follows, and not for each operation.

    A peer that sends a byte a second never makes one operation wait for long. urllib3 sets the time-out of a socket
    once before it sends a request, and once before it reads the answer. So each of these is an end in time here.
    """

    def __init__(self, sock: Any) -> None:
        self._sock, self._files, self._closed = sock, 0, False
        self.settimeout(sock.gettimeout())

    def settimeout(self, seconds: float | None) -> None:
        self._end = None if seconds is None else clock() + seconds
        self._sock.settimeout(seconds)

    def recv_into(self, buffer: Any, *more: Any) -> int:
        self._limit()
        return int(self._sock.recv_into(buffer, *more))

    def recv(self, *more: Any) -> bytes:
        self._limit()
        return bytes(self._sock.recv(*more))

    def sendall(self, data: Any, *more: Any) -> None:
        self._limit()
        self._sock.sendall(data, *more)

    def makefile(self, mode: str = "r", *more: Any, **settings: Any) -> io.BufferedReader:
        """As that of a socket; http.client reads an answer by it. The socket stays open until both are closed."""
        self._files += 1
        return io.BufferedReader(socket.SocketIO(self, "r"))  # type: ignore[arg-type]

    def _decref_socketios(self) -> None:
        """Called by SocketIO when it is closed."""
        self._files -= 1
        if self._closed and not self._files:
            self._sock.close()

    def close(self) -> None:
        self._closed = True
        if not self._files:
            self._sock.close()

    def _limit(self) -> None:
        if self._end is not None:
            left = self._end - clock()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Timed:
    """A connection whose socket is a DeadlineSocket once it is open."""

    sock: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock = DeadlineSocket(self.sock)


class _Plain(_Timed, HTTPConnection):
    pass


class _Tls(_Timed, HTTPSConnection):
    pass


def bounded(manager: urllib3.PoolManager, plain: type = _Plain, tls: type = _Tls) -> None:
    """Have a pool manager open connections whose time-out holds for a whole exchange."""
    manager.pool_classes_by_scheme = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


def restricted(allowed: Allowed) -> urllib3.PoolManager:
    """A pool manager that connects to allowed addresses only.

    A name is looked up once, when the connection is opened, and the address that was checked is the one that is
    connected to. So a name server cannot give a public address first and another one later. For the same reason no
    proxy of the environment is used: it would look up the name itself.
    """

    class Plain(_Plain):
        def _new_conn(self) -> socket.socket:
            return _connect(self, allowed, tls=False)

    class Tls(_Tls):
        def _new_conn(self) -> socket.socket:
            return _connect(self, allowed, tls=True)

    manager = urllib3.PoolManager(ssl_context=_trust())
    bounded(manager, Plain, Tls)
    return manager


def _trust() -> ssl.SSLContext:
    """The certificate authorities of the system or of SSL_CERT_FILE and SSL_CERT_DIR, and those of the package certifi.

    Python from python.org has no access to the store of macOS; there, certifi has all of them.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _connect(asks: HTTPConnection, allowed: Allowed, *, tls: bool) -> socket.socket:
    host, port = asks.host.strip("[]"), int(asks.port or 0)
    end = clock() + asks.timeout if isinstance(asks.timeout, int | float) else None
    error: OSError | None = None
    for family, kind, protocol, _, address in _addresses(asks, host, port, allowed, tls=tls):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in asks.socket_options or ():
                sock.setsockopt(*option)
            if end is not None:
                sock.settimeout(max(0.001, end - clock()))
            sock.connect(address)
            return sock
        except OSError as one:
            error = one
            sock.close()
    if isinstance(error, TimeoutError):
        raise ConnectTimeoutError(asks, "timed out") from error
    raise NewConnectionError(asks, str(error)) from error


def _addresses(asks: HTTPConnection, host: str, port: int, allowed: Allowed, *, tls: bool) -> list[Any]:
    try:
        found = socket.getaddrinfo(host, port, sockets.allowed_gai_family(), socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, asks, reason) from None
    if allowed.names(host, port):
        return found
    permitted = [one for one in found if allowed.permits(_address(one), port, tls=tls)]
    if not permitted:
        raise AddressRefusedError(_refusal(host, port, tls=tls))
    return permitted


def _address(info: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(str(info[4][0]).partition("%")[0])


def _refusal(host: str, port: int, *, tls: bool) -> str:
    what = "has no public address" if tls else "is not reached by https at a public address"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{host} {what}, and the controller does not allow it; to allow it: graylane controller {OPTION} {where}"
