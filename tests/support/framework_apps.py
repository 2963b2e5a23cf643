"""As server_apps, on frameworks with a server of their own: aiohttp.web and Tornado."""

import asyncio
import time
from typing import Any

import tornado.iostream
import tornado.web
import tornado.websocket
from aiohttp import web
from opentelemetry.context import get_current
from server_apps import KnownError

from propagation import get, inject
from propagation.context import trail_of
from propagation.servers import aiohttp as aiohttp_server
from propagation.servers import tornado as tornado_server
from propagation.trail import HEADER


def answered():
    """A call of the request at hand was answered, with two hops."""
    if (trail := trail_of(get_current())) is not None:
        trail.take(object(), ["ant/v1", "mouse/prod"])


def aiohttp_app(watch, config=None):
    """Every shape of aiohttp.web's endpoints."""

    @web.middleware
    async def watched(request, handler):
        before = get_current()
        try:
            return await handler(request)
        finally:
            watch.check(before)

    @web.middleware
    async def known_errors(request, handler):
        try:
            return await handler(request)
        except KnownError:
            return web.Response(text=str(get("env")))

    async def tag(request):
        return web.Response(text=str(get("env")))

    async def upload(request):
        await request.read()
        return web.Response(text=str(get("env")))

    async def sent(request):
        return web.json_response(inject({}))

    async def passed_on(request):
        return web.json_response({name: value for name, value in request.headers.items() if name.lower() != "host"})

    async def hops(request):
        answered()
        return web.Response(headers={HEADER: "own/v1"})

    async def wait(request):
        first = get("env")
        for _ in range(3):
            await asyncio.sleep(0)
        return web.Response(text=f"{first} {get('env')}")

    async def parts(count):
        for _ in range(count):
            await asyncio.sleep(0)
            yield f"{get('env')} ".encode()

    async def stream(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for part in parts(3):
            await response.write(part)
        return response

    async def body_stream(request):
        return web.Response(body=parts(3))

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await asyncio.sleep(0.001)
                await response.write(b"x" * 1000)
        finally:
            watch.later.append(get("env"))
            watch.ended.set()

    tasks = []

    async def background(request):
        async def work():
            await asyncio.sleep(0)
            watch.later.append(get("env"))
            watch.ended.set()

        tasks.append(asyncio.ensure_future(work()))
        return web.Response(text=str(get("env")))

    async def task(request):
        async def work():
            await asyncio.sleep(0)
            return get("env")

        return web.Response(text=f"{await asyncio.create_task(work())} {await asyncio.to_thread(get, 'env')}")

    async def fail(request):
        raise KnownError

    async def crash(request):
        raise RuntimeError("unhandled")

    async def missing(request):
        raise web.HTTPNotFound(text=str(get("env")))

    async def socket(request):
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for _ in websocket:
            await websocket.send_str(str(get("env")))
        return websocket

    app = web.Application(middlewares=[known_errors])
    app.add_routes(
        [web.post("/upload", upload)]
        + [
            web.get(f"/{name.replace('_', '-')}", handler)
            for name, handler in {
                "tag": tag,
                "sent": sent,
                "passed_on": passed_on,
                "hops": hops,
                "wait": wait,
                "stream": stream,
                "body_stream": body_stream,
                "endless": endless,
                "background": background,
                "task": task,
                "fail": fail,
                "crash": crash,
                "missing": missing,
                "socket": socket,
            }.items()
        ]
    )
    inner = web.Application()
    inner.add_routes([web.get("/tag", tag)])
    app.add_subapp("/mounted", inner)
    aiohttp_server.setup(app, config)
    app.middlewares.insert(0, watched)
    return app


def tornado_app(watch, config=None):
    """Every shape of Tornado's handlers."""

    class Tag(tornado.web.RequestHandler):
        def get(self):
            self.write(str(get("env")))

    class Upload(tornado.web.RequestHandler):
        def post(self):
            self.write(str(get("env")))

    @tornado.web.stream_request_body
    class StreamedUpload(tornado.web.RequestHandler):
        def prepare(self):
            self.seen = {get("env")}
            connection: Any = self.request.connection
            connection.set_max_body_size(10_000_000)

        async def data_received(self, chunk):
            await asyncio.sleep(0)
            self.seen.add(get("env"))

        def post(self):
            self.write(" ".join(map(str, self.seen | {get("env")})))

    class Sent(tornado.web.RequestHandler):
        def get(self):
            self.write(inject({}))

    class PassedOn(tornado.web.RequestHandler):
        def get(self):
            self.write({name: value for name, value in self.request.headers.items() if name != "Host"})

    class Hops(tornado.web.RequestHandler):
        def get(self):
            answered()
            self.set_header(HEADER, "own/v1")

    class Wait(tornado.web.RequestHandler):
        async def get(self):
            first = get("env")
            for _ in range(3):
                await asyncio.sleep(0)
            self.write(f"{first} {get('env')}")

    class WaitInAThread(tornado.web.RequestHandler):
        async def get(self):
            first = get("env")
            await asyncio.to_thread(time.sleep, 0.0005)
            self.write(f"{first} {get('env')}")

    class Stream(tornado.web.RequestHandler):
        async def get(self):
            for _ in range(3):
                await asyncio.sleep(0)
                self.write(f"{get('env')} ")
                await self.flush()

    class Endless(tornado.web.RequestHandler):
        async def get(self):
            try:
                while True:
                    await asyncio.sleep(0.001)
                    self.write("x" * 1000)
                    await self.flush()
            except tornado.iostream.StreamClosedError:
                pass
            finally:
                watch.later.append(get("env"))
                watch.ended.set()

    class Background(tornado.web.RequestHandler):
        def get(self):
            self.write(str(get("env")))

        def on_finish(self):
            watch.later.append(get("env"))
            watch.ended.set()

    class Task(tornado.web.RequestHandler):
        async def get(self):
            async def work():
                await asyncio.sleep(0)
                return get("env")

            self.write(f"{await asyncio.create_task(work())} {await asyncio.to_thread(get, 'env')}")

    class Fail(tornado.web.RequestHandler):
        def get(self):
            raise KnownError

        def write_error(self, status_code, **options):
            self.set_status(200)
            self.finish(str(get("env")))

    class Crash(tornado.web.RequestHandler):
        def get(self):
            raise RuntimeError("unhandled")

    class Prepared(Tag):
        async def prepare(self):
            self.set_header("x-inside", str(get("env")))

    class Missing(tornado.web.RequestHandler):
        def prepare(self):
            self.set_status(404)
            self.finish(str(get("env")))

    class Socket(tornado.websocket.WebSocketHandler):
        def on_message(self, message):
            self.write_message(str(get("env")))

    class Watched(tornado.web.Application):
        def find_handler(self, request, **options):
            before = get_current()
            try:
                return _Watched(super().find_handler(request, **options), watch)
            finally:
                watch.check(before)

    app = Watched(
        [
            ("/tag", Tag),
            ("/upload", Upload),
            ("/streamed-upload", StreamedUpload),
            ("/sent", Sent),
            ("/passed-on", PassedOn),
            ("/hops", Hops),
            ("/wait", Wait),
            ("/wait-in-a-thread", WaitInAThread),
            ("/stream", Stream),
            ("/endless", Endless),
            ("/background", Background),
            ("/task", Task),
            ("/fail", Fail),
            ("/crash", Crash),
            ("/prepared", Prepared),
            ("/socket", Socket),
            ("/mounted/.*", Tag),
        ],
        default_handler_class=Missing,
    )
    tornado_server.setup(app, config)
    return app


class _Watched:
    """A delegate of which each step is watched."""

    def __init__(self, delegate, watch):
        self.delegate, self.watch = delegate, watch

    def headers_received(self, *args):
        return self.watch.step(self.delegate.headers_received, *args)

    def data_received(self, chunk):
        return self.watch.step(self.delegate.data_received, chunk)

    def finish(self):
        return self.watch.step(self.delegate.finish)

    def on_connection_close(self):
        return self.watch.step(self.delegate.on_connection_close)
