"""The apps that servers under test run: the same paths on each framework, each telling what tag it saw."""

import asyncio
import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import flask
from opentelemetry.context import get_current
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from propagation import ASGIMiddleware, WSGIMiddleware, get, inject


class KnownError(Exception):
    """What the apps' exception handlers answer."""


class Watch:
    """What the server around our middleware sees: whether each request left its context as it was."""

    def __init__(self):
        self.changed = []
        self.later = []
        self.ended = threading.Event()

    def step(self, function, *args):
        before = get_current()
        try:
            return function(*args)
        finally:
            self.check(before)

    def check(self, before):
        if get_current() is not before:
            self.changed.append((before, get_current()))


def starlette_app(watch, config=None):
    """Every shape of ASGI endpoint, with BaseHTTPMiddleware outside and inside ours."""

    def sync(request):
        return PlainTextResponse(str(get("env")))

    async def tag(request):
        return PlainTextResponse(str(get("env")))

    async def upload(request):
        await request.body()
        return PlainTextResponse(str(get("env")))

    async def sent(request):
        return JSONResponse(inject({}))

    async def wait(request):
        first = get("env")
        for _ in range(3):
            await asyncio.sleep(0)
        return PlainTextResponse(f"{first} {get('env')}")

    def wait_in_a_thread(request):
        first = get("env")
        time.sleep(0.0005)
        return PlainTextResponse(f"{first} {get('env')}")

    async def stream(request):
        async def parts():
            for _ in range(3):
                await asyncio.sleep(0)
                yield f"{get('env')} "

        return StreamingResponse(parts())

    async def sync_stream(request):
        return StreamingResponse(f"{get('env')} " for _ in range(3))

    async def endless(request):
        async def parts():
            while True:
                await asyncio.sleep(0.001)
                yield "x" * 1000

        return StreamingResponse(parts())

    async def background(request):
        async def work():
            await asyncio.sleep(0)
            watch.later.append(get("env"))

        return PlainTextResponse(str(get("env")), background=BackgroundTask(work))

    async def task(request):
        async def work():
            await asyncio.sleep(0)
            return get("env")

        return PlainTextResponse(f"{await asyncio.create_task(work())} {await asyncio.to_thread(get, 'env')}")

    async def fail(request):
        raise KnownError

    async def crash(request):
        raise RuntimeError("unhandled")

    async def answer(request, error):
        return PlainTextResponse(str(get("env")))

    async def socket(websocket):
        await websocket.accept()
        async for _ in websocket.iter_text():
            await websocket.send_text(str(get("env")))

    async def passing(request, call_next):
        response = await call_next(request)
        response.headers["x-inside"] = str(get("env"))
        return response

    routes = [
        Route("/sync", sync),
        Route("/tag", tag),
        Route("/upload", upload, methods=["POST"]),
        Route("/sent", sent),
        Route("/wait", wait),
        Route("/wait-in-a-thread", wait_in_a_thread),
        Route("/stream", stream),
        Route("/sync-stream", sync_stream),
        Route("/endless", endless),
        Route("/background", background),
        Route("/task", task),
        Route("/fail", fail),
        Route("/crash", crash),
        Mount("/mounted", routes=[Route("/tag", tag)]),
        Mount("/mounted-app", ASGIMiddleware(Starlette(routes=[Route("/tag", tag)]), config)),
        WebSocketRoute("/socket", socket),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={KnownError: answer},
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=_unchanged),
            Middleware(ASGIMiddleware, config=config),
            Middleware(BaseHTTPMiddleware, dispatch=passing),
        ],
    )

    async def watched(scope, receive, send):
        before = get_current()
        try:
            await app(scope, receive, send)
        finally:
            watch.check(before)
            if scope["type"] == "http":
                watch.ended.set()

    return watched


async def _unchanged(request, call_next):
    return await call_next(request)


def flask_app(watch, config=None):
    """Every shape of WSGI endpoint."""
    app = flask.Flask(__name__)

    @app.get("/sync")
    @app.get("/tag")
    @app.get("/mounted/tag")
    def tag():
        return str(get("env"))

    @app.post("/upload")
    def upload():
        flask.request.get_data()
        return str(get("env"))

    @app.get("/sent")
    def sent():
        return inject({})

    @app.get("/wait")
    def wait():
        first = get("env")
        time.sleep(0.0005)
        return f"{first} {get('env')}"

    @app.get("/stream")
    def stream():
        return app.response_class(f"{get('env')} " for _ in range(3))

    @app.get("/endless")
    def endless():
        def parts():
            try:
                while True:
                    yield "x" * 1000
            finally:
                watch.later.append(get("env"))

        return app.response_class(parts())

    @app.get("/background")
    def background():
        response = flask.Response(str(get("env")))
        response.call_on_close(lambda: watch.later.append(get("env")))
        return response

    @app.get("/task")
    def task():
        with ThreadPoolExecutor(1) as pool:
            return str(pool.submit(contextvars.copy_context().run, get, "env").result())

    @app.get("/fail")
    def fail():
        raise KnownError

    @app.get("/crash")
    def crash():
        raise RuntimeError("unhandled")

    @app.errorhandler(KnownError)
    def answer(error):
        return str(get("env"))

    app.config["PROPAGATE_EXCEPTIONS"] = True
    return WatchedWSGI(WSGIMiddleware(app, config), watch)


class WatchedWSGI:
    """A WSGI app of which each step is watched."""

    def __init__(self, app, watch):
        self.app, self.watch = app, watch

    def __call__(self, environ, start_response):
        return _WatchedBody(self.watch.step(self.app, environ, start_response), self.watch)


class _WatchedBody:
    def __init__(self, body, watch):
        self.body, self.watch = body, watch
        self.parts = watch.step(iter, body)

    def __iter__(self):
        return self

    def __next__(self):
        return self.watch.step(next, self.parts)

    def close(self):
        if hasattr(self.body, "close"):
            self.watch.step(self.body.close)
        self.watch.ended.set()
