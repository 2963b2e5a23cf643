"""One adapter for each kind of server under test: it serves one of server_apps on loopback, and says what it can do."""

import asyncio
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn
from aiohttp import web
from framework_apps import aiohttp_app, tornado_app
from server_apps import Watch, flask_app, starlette_app
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port


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


class OnALoop:
    """A framework with a server of its own, in an event loop in a thread."""

    started: Any

    @contextmanager
    def serving(self, config=None):
        watch, started = Watch(), Future()

        async def main():
            stop = asyncio.Event()
            async with self.started(watch, config) as port:
                started.set_result((port, asyncio.get_running_loop(), stop))
                await stop.wait()

        def run():
            try:
                asyncio.run(main())
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

        thread = threading.Thread(target=run)
        thread.start()
        port, loop, stop = started.result(30)
        try:
            yield Running(port, watch)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


class AiohttpWeb(OnALoop):
    shapes = ("tag", "stream", "body-stream", "background", "task", "fail", "missing", "mounted/tag")
    interleaved = ("wait",)

    @asynccontextmanager
    async def started(self, watch, config):
        runner = web.AppRunner(aiohttp_app(watch, config), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=256)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()


class Tornado(OnALoop):
    shapes = ("tag", "stream", "background", "task", "fail", "prepared", "missing", "mounted/tag")
    interleaved = ("wait", "wait-in-a-thread")

    @asynccontextmanager
    async def started(self, watch, config):
        server = HTTPServer(tornado_app(watch, config))
        sock, port = bind_unused_port()
        server.add_socket(sock)
        try:
            yield port
        finally:
            server.stop()
            await server.close_all_connections()


ADAPTERS = {"uvicorn": Uvicorn(), "wsgi": PooledWSGI(), "aiohttp": AiohttpWeb(), "tornado": Tornado()}
