"""The ways that benchmarks/carry.py compares: the same request through nothing, through ours, and through others'.

A way is a function that does that many requests. All are driven in this process without a server: an app is called, and
a client's innermost layer answers at once. Every request has ten headers.
"""

import asyncio
import atexit
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import requests
from asgi_correlation_id import CorrelationIdMiddleware
from multidict import CIMultiDict, CIMultiDictProxy
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WSGIOpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from requests.adapters import HTTPAdapter
from starlette_context.middleware import RawContextMiddleware
from starlette_context.plugins import Plugin

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware
from propagation.clients.aiohttp import PropagatingMiddleware
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport
from propagation.clients.requests import PropagatingAdapter
from propagation.trail import HEADER

Way = Callable[[int], None]
BARE, OURS, OTEL = "bare", "graylane", "opentelemetry"
CORRELATION, STARLETTE = "asgi-correlation-id", "starlette-context"
NINE = [(f"x-header-{number}", "value") for number in range(9)]
TEN = [*NINE, ("x-header-9", "value")]
SDK: Any = {"tracer_provider": TracerProvider(), "meter_provider": MeterProvider()}
URL = "http://mouse-svc:9001/"


def repeated(once: Callable[[], object]) -> Way:
    def way(count: int) -> None:
        for _ in range(count):
            once()

    return way


# --- servers


class EnvPlugin(Plugin):
    key = "env"


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def nothing(*message: Any) -> None:
    pass


def asgi_request(middleware: Any, last: tuple[str, str]) -> Way:
    """Requests through `middleware`, with nine headers and this one."""
    headers = [(name.encode(), value.encode()) for name, value in [*NINE, last]]

    def once() -> None:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1024),
            "headers": headers,
        }
        try:
            middleware(scope, nothing, nothing).send(None)
        except StopIteration:
            return

    return repeated(once)


def asgi(tagged: bool) -> dict[str, Way]:
    """The middlewares, each with the header that it reads, or with one that none reads."""
    wanted = {
        OURS: ("env", "gray"),
        OTEL: ("baggage", "env=gray"),
        CORRELATION: ("x-request-id", uuid.uuid4().hex),
        STARLETTE: ("env", "gray"),
    }
    made = {
        BARE: asgi_app,
        OURS: ASGIMiddleware(asgi_app),
        OTEL: OpenTelemetryMiddleware(asgi_app, **SDK),
        CORRELATION: CorrelationIdMiddleware(asgi_app),
        STARLETTE: RawContextMiddleware(asgi_app, plugins=[EnvPlugin()]),
    }
    return {name: asgi_request(one, wanted.get(name, TEN[-1]) if tagged else TEN[-1]) for name, one in made.items()}


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]


def wsgi(tagged: bool) -> dict[str, Way]:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in NINE}
    environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1"}
    wanted = {OURS: ("HTTP_ENV", "gray"), OTEL: ("HTTP_BAGGAGE", "env=gray")}
    made = {
        BARE: wsgi_app,
        OURS: WSGIMiddleware(wsgi_app),
        OTEL: WSGIOpenTelemetryMiddleware(wsgi_app, **SDK),
    }

    def request(app: Any, last: tuple[str, str]) -> Way:
        whole = environ | dict([last])
        return repeated(lambda: list(app(whole.copy(), lambda *started: None)))

    other = ("HTTP_X_HEADER_9", "value")
    return {name: request(one, wanted.get(name, other) if tagged else other) for name, one in made.items()}


# --- clients


class HttpxAnswer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers at once, as a version of mouse."""

    def __init__(self) -> None:
        self._answer = httpx.Response(200, headers=[(HEADER, "mouse/prod")])

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer


def httpx_request() -> Callable[[], httpx.Request]:
    headers, stream = httpx.Headers(TEN), httpx.ByteStream(b"")
    return lambda: httpx.Request("GET", URL, headers=headers, stream=stream)


def httpx_transports() -> dict[str, Way]:
    made: dict[str, Any] = {
        BARE: HttpxAnswer(),
        OURS: PropagatingTransport(HttpxAnswer()),
        OTEL: SyncOpenTelemetryTransport(HttpxAnswer(), **SDK),
    }

    def send(transport: httpx.BaseTransport) -> Way:
        request = httpx_request()
        return repeated(lambda: transport.handle_request(request()))

    return {name: send(one) for name, one in made.items()}


class RequestsAnswer(HTTPAdapter):
    """Answers at once."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request = 200, request
        return response


class RequestsOurs(PropagatingAdapter, RequestsAnswer):
    """Ours around it."""


def requests_sessions() -> dict[str, Way]:
    RequestsInstrumentor().instrument(**SDK)
    instrumented = requests.Session.send
    RequestsInstrumentor().uninstrument()

    def send(sender: Callable[..., Any], adapter: HTTPAdapter) -> Way:
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", adapter)
        prepared = session.prepare_request(requests.Request("GET", URL, headers=dict(TEN)))
        return repeated(lambda: sender(session, prepared.copy()))

    plain = requests.Session.send
    return {
        BARE: send(plain, RequestsAnswer()),
        OURS: send(plain, RequestsOurs()),
        OTEL: send(instrumented, RequestsAnswer()),
    }


class AiohttpResponse:
    """What a session looks at in an answer."""

    status, reason, history, cookies = 200, "OK", (), {}
    headers = CIMultiDictProxy(CIMultiDict())
    connection = _raw_cookie_headers = None

    def release(self) -> None:
        pass


async def aiohttp_answer(request: aiohttp.ClientRequest, handler: Any) -> Any:
    """The innermost middleware of a session: answers at once."""
    return AiohttpResponse()


def aiohttp_sessions() -> dict[str, Way]:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)

    def way(**options: Any) -> Way:
        async def made() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), headers=dict(TEN), **options)

        session = loop.run_until_complete(made())
        atexit.register(
            lambda: loop.run_until_complete(session.close())
        )  # before the loop: the last in is the first out

        async def some(count: int) -> None:
            for _ in range(count):
                await session.get(URL)

        return lambda count: loop.run_until_complete(some(count))

    return {
        BARE: way(middlewares=(aiohttp_answer,)),
        OURS: way(middlewares=(PropagatingMiddleware(), aiohttp_answer)),
        OTEL: way(middlewares=(aiohttp_answer,), trace_configs=[create_trace_config(**SDK)]),
    }


# --- the trail


def trail(calls: int) -> dict[str, Way]:
    """A tagged request that makes so many calls, whose answers name a version: without the trail and with it."""

    def serving(config: PropagationConfig) -> Way:
        transport, request = AsyncPropagatingTransport(HttpxAnswer()), httpx_request()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for _ in range(calls):
                await transport.handle_async_request(request())
            await asgi_app(scope, receive, send)

        return asgi_request(ASGIMiddleware(app, config), ("env", "gray"))

    return {BARE: serving(PropagationConfig()), OURS: serving(PropagationConfig(trail=True))}
