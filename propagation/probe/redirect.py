"""Every TCP connection of this process led to one port, and where each of them wanted to go."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any
from unittest.mock import patch


class Destinations:
    """Where the connections were meant to go. An address of loopback stands for each host that is looked up."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._by_port: dict[int, str] = {}
        self._lock = Lock()

    def address_of(self, host: str) -> str:
        """The address that stands for `host`; an IPv4 address stands for itself."""
        with suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
        with self._lock:
            if host not in self._addresses:
                number = len(self._addresses) + 1
                address = f"127.{64 + number // 65536 % 64}.{number // 256 % 256}.{number % 256}"
                self._addresses[host], self._hosts[address] = address, host
            return self._addresses[host]

    def stands_for_a_host(self, address: str) -> bool:
        """Whether the address is one of those that `address_of` gave out."""
        with self._lock:
            return address in self._hosts

    def add(self, port: int, address: Any) -> None:
        """Note where the connection from this local port was meant to go."""
        with self._lock:
            host = self._hosts.get(address[0], address[0])
            self._by_port[port] = f"[{host}]:{address[1]}" if ":" in str(host) else f"{host}:{address[1]}"

    def of(self, port: int) -> str:
        """The "host:port" of the connection from this local port."""
        with self._lock:
            return self._by_port.get(port, "an unknown host")


@contextmanager
def all_connections_lead_to(here_port: int, destinations: Destinations) -> Iterator[None]:
    """Have the TCP connections that are made in the block, by Python's sockets, go to `here_port` of this machine."""
    connect, connect_ex, listen = socket.socket.connect, socket.socket.connect_ex, socket.socket.listen
    own: set[int] = set()
    here = {
        socket.AF_INET: ("127.0.0.1", here_port),
        socket.AF_INET6: ("::ffff:127.0.0.1", here_port),
    }

    def led(sock: socket.socket, address: Any) -> Any:
        if sock.type != socket.SOCK_STREAM or sock.family not in here:
            return address
        # What listens since a moment ago is the other half of a pair of sockets, such as pika makes for itself.
        if address[1] in own:
            return ("127.0.0.1", address[1]) if destinations.stands_for_a_host(address[0]) else address
        # Bound before it connects, so that its port is noted before anything arrives.
        with suppress(OSError):
            if sock.getsockname()[1] == 0:
                sock.bind((here[sock.family][0], 0))
        destinations.add(sock.getsockname()[1], address)
        return here[sock.family]

    def noting(sock: socket.socket, *args: Any) -> None:
        listen(sock, *args)
        if sock.family in here:
            own.add(sock.getsockname()[1])

    def looked_up(host: Any, port: Any = None, *args: Any, **kwargs: Any) -> list[Any]:
        address = destinations.address_of(_text(host) if host else "localhost")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, _port(port)))]

    with (
        patch.object(socket, "getaddrinfo", looked_up),
        patch.object(socket, "gethostbyname", lambda host: destinations.address_of(_text(host))),
        patch.object(socket.socket, "listen", noting),
        patch.object(socket.socket, "connect", lambda sock, address: connect(sock, led(sock, address))),
        patch.object(socket.socket, "connect_ex", lambda sock, address: connect_ex(sock, led(sock, address))),
    ):
        yield


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def _port(service: Any) -> int:
    if service is None or service == "":
        return 0
    try:
        return int(service)
    except ValueError:
        return socket.getservbyname(_text(service))
