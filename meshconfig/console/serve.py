"""Runs the console's server until it is told to stop."""

import asyncio
import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from meshconfig.console.settings import LOOPBACK
from meshconfig.errors import InputError

CONNECTIONS = 500  # at once; a browser keeps up to six
END = 3  # seconds for open pages to end
PATIENCE = 10.0  # seconds for the head of a request to come, also of the first one of a connection


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """A socket that listens.

    Parameters:
        port: 0 for any that is free.

    Raises:
        InputError: the port is taken.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(CONNECTIONS)  # before the address is printed, so that whoever opens it at once is not refused
    except OSError as error:
        found.close()
        raise InputError.at("--port", f"{host}:{port} cannot be listened on: {error.strerror or error}") from None
    return found


class Server(uvicorn.Server):
    """A server whose signals are handled by whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Protocol(H11Protocol):
    """Closes a connection on which no whole head of a request comes in time.

    Uvicorn waits without end for the first byte, and for the last one of a head: whoever opens as many connections as
    there may be, and sends nothing, would keep all others out.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as Uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._come()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._come()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(PATIENCE, self.transport.close)

    def _come(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def server(app: ASGIApp) -> Server:
    """Its log has no addresses, because one of them has the secret."""
    return Server(
        uvicorn.Config(
            app,
            http=Protocol,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=END,
            lifespan="off",
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
        )
    )


def run(app: ASGIApp, sock: socket.socket, stop: Event) -> None:
    """Serve until SIGINT or SIGTERM; then `stop` is set, and what is under way ends."""
    spare_collector()
    asyncio.run(_serve(server(app), sock, stop))


def spare_collector() -> None:
    """Have Python's cyclic garbage collector run rarely, and never over what the modules hold.

    A reading of a large group makes a million objects that no cycle holds; the collector took most of its time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


async def _serve(one: Server, sock: socket.socket, stop: Event) -> None:
    def end() -> None:
        stop.set()
        one.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    await one.serve(sockets=[sock])
