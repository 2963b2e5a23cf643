"""Run an ASGI app on uvicorn until SIGTERM, losing no request then."""

import asyncio
import socket
import time

import uvicorn
from starlette.types import ASGIApp

# Seconds idle. Longer than a sidecar keeps a connection to its app (an hour, Envoy's default), so that it is never the
# server who closes one: the next request may be under way on it, and Envoy answers that with 503 (flag UC). What is
# sent on a connection that was open is not safe to repeat, so nobody does.
KEEP_ALIVE = 3900
DRAIN = 2.0  # seconds that open connections get, at most
BACKLOG = 2048


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes idle connections at once, which resets those on which the next request is already under way.
        # So refuse new connections, answer what still comes with `Connection: close`, and only then close the rest.
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        deadline = time.monotonic() + DRAIN
        while self.server_state.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Serve `app` at host:port. uvicorn raises the signal that ended it anew; what that does is the caller's."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE,
        backlog=BACKLOG,
    )
    _Server(config).run()
