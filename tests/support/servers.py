"""One adapter for each kind of server under test: it serves one of server_apps on loopback, and says what it can do."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn
from server_apps import Watch, flask_app, starlette_app


class Running(NamedTuple):
    port: int
    watch: Watch


class Uvicorn:
    """ASGI on uvicorn, in an event loop of its own."""

    shapes = ("tag", "sync", "stream", "sync-stream", "background", "task", "fail", "mounted/tag", "mounted-app/tag")
    interleaved = ("wait", "wait-in-a-thread")

    @contextmanager
    def serving(self, config=None):
        watch = Watch()
        options = uvicorn.Config(starlette_app(watch, config), port=0, log_config=None, lifespan="on", http="h11")
        server = uvicorn.Server(options)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                thread.join(0.005)
            yield Running(server.servers[0].sockets[0].getsockname()[1], watch)
        finally:
            server.should_exit = True
            thread.join()


class PooledWSGI:
    """WSGI on the stdlib's server, with four threads that serve one request after another."""

    shapes = ("tag", "stream", "background", "task", "fail", "mounted/tag")
    interleaved = ("wait",)

    @contextmanager
    def serving(self, config=None):
        watch = Watch()
        with ThreadPoolExecutor(4) as pool, _PooledServer(("127.0.0.1", 0), _Handler) as server:
            server.pool = pool
            server.set_app(flask_app(watch, config))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield Running(server.server_port, watch)
            finally:
                server.shutdown()
                thread.join()


class _PooledServer(WSGIServer):
    pool: ThreadPoolExecutor
    request_queue_size = 256

    def process_request(self, request, client_address):
        self.pool.submit(self._process, request, client_address)

    def _process(self, request, client_address):
        try:
            self.finish_request(request, client_address)
        except Exception:
            logging.getLogger("wsgi").exception("request")
        finally:
            self.shutdown_request(request)

    def server_bind(self):
        # Without the stdlib's look-up of the host's full name, which can take seconds.
        super(WSGIServer, self).server_bind()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


ADAPTERS = {"uvicorn": Uvicorn(), "wsgi": PooledWSGI()}
