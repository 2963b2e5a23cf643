"""Run a WSGI app on gunicorn until SIGTERM, losing no request then."""

import signal
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

# Why gunicorn's gthread: at SIGTERM it still answers what comes on its open connections (waitress and cheroot close
# them all at once), and it joins a header that was sent twice by a comma (cheroot shows the last value alone).

KEEP_ALIVE = 3900  # seconds idle; see serve_asgi
THREADS = 32  # also how many requests --delay can hold back at once
_ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class _Worker(ThreadWorker):
    def init_signals(self) -> None:
        super().init_signals()
        for number in _ENDINGS:
            # The handler that gunicorn has for Ctrl-C takes locks which the code it interrupts may hold.
            signal.signal(number, self.handle_exit)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            # Otherwise connections made while it drains would wait in the backlog, to be reset at its end.
            for listener in self.sockets:
                listener.close()


class _Arbiter(Arbiter):
    def spawn_worker(self) -> int:
        # A signal between the fork and the worker's own handlers would be lost, and the end take 30 s.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)


class _Gunicorn(BaseApplication):
    def __init__(self, create_app: Callable[[], WSGIApplication], settings: dict[str, object]) -> None:
        self._create_app, self._settings = create_app, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._create_app()


def serve(create_app: Callable[[], WSGIApplication], host: str, port: int) -> None:
    """Serve the app that `create_app` makes at host:port, in one forked process; exits when that has ended."""
    settings = {
        "bind": f"{host}:{port}",
        "worker_class": _Worker,
        "workers": 1,
        "threads": THREADS,
        "keepalive": KEEP_ALIVE,
        "loglevel": "warning",
        "control_socket_disable": True,
    }
    _Arbiter(_Gunicorn(create_app, settings)).run()
