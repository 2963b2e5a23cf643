"""What services write, as they write it, checked by `mypy --strict` in `make lint`; it is never run.

A line that stops type-checking is a change that users notice: their own `mypy --strict` fails with it.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, assert_type

import aiohttp
import flask
import httpx
import requests
import structlog
import urllib3
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import propagation
from propagation import (
    ASGIMiddleware,
    ConfigError,
    InvalidValueError,
    PropagationConfig,
    PropagationError,
    RemoteFieldsPropagator,
    WSGIMiddleware,
    extract,
    get,
    inject,
    instrument,
    uninstrument,
    use,
)
from propagation.clients.aiohttp import PropagatingMiddleware
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport
from propagation.clients.requests import PropagatingAdapter
from propagation.clients.urllib3 import PropagatingPoolManager
from propagation.executors import Thread, ThreadPoolExecutor
from propagation.logs import PropagationFilter, record_factory, structlog_processor
from propagation.messaging.kafka import consumed, outgoing
from propagation.spans import TagFieldsSpanProcessor
from propagation.testing import assert_propagates

config = PropagationConfig(
    remote_fields=("env", "x-tenant"),
    local_fields=("step",),
    key_names={"env": ("x-env", "env")},
    allowed_values={"env": {"prod", "gray"}},
    allowed_hosts=(".svc.cluster.local", "10.0.0.0/8"),
    baggage="declared",
    origin={"env": "gray"},
    trust_inbound=False,
    echo=True,
)
assert_type(PropagationConfig.from_env(), PropagationConfig)
assert_type(PropagationConfig.from_env({"PROPAGATION_REMOTE_FIELDS": "env"}), PropagationConfig)
assert_type(config.remote_fields, tuple[str, ...])


def reading_and_writing(headers: dict[str, str], pairs: list[tuple[str, str]], asgi: list[tuple[bytes, bytes]]) -> None:
    assert_type(get("env"), str | None)
    assert_type(extract(headers), Context)
    assert_type(extract(asgi, config=config, context=Context()), Context)
    # What is given comes back, of the same type; nothing given is a dict of text.
    assert_type(inject({}), dict[str, str])
    assert_type(inject({"accept": "*/*"}, "http://mouse-svc/"), dict[str, str])
    assert_type(inject(headers, context=extract(pairs)), dict[str, str])
    assert_type(inject(pairs), list[tuple[str, str]])
    assert_type(inject(httpx.Headers()), httpx.Headers)
    with use(extract(headers), step="checkout") as context:
        assert_type(context, Context)
    with use(env=None):
        pass


@use(env="gray")
def job(number: int) -> str:
    return str(number)


@use(env="gray")
async def task(number: int) -> str:
    return str(number)


async def decorated_functions_keep_their_types() -> None:
    assert_type(job(1), str)
    assert_type(await task(1), str)


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(get("env") or "prod")


def servers() -> None:
    app = Starlette(routes=[Route("/", hello)], middleware=[Middleware(ASGIMiddleware, config=config)])
    app.add_middleware(ASGIMiddleware)
    app.add_middleware(ASGIMiddleware, config=config)
    httpx.ASGITransport(ASGIMiddleware(app))
    site = flask.Flask(__name__)
    WSGIMiddleware(site, config)
    WSGIMiddleware(site.wsgi_app)


async def clients() -> None:
    httpx.Client(transport=PropagatingTransport())
    httpx.AsyncClient(transport=AsyncPropagatingTransport(httpx.AsyncHTTPTransport(retries=1), config=config))
    session = requests.Session()
    session.mount("http://", PropagatingAdapter(max_retries=2))
    pool: urllib3.PoolManager = PropagatingPoolManager(10)
    pool.clear()
    async with aiohttp.ClientSession(middlewares=(PropagatingMiddleware(config=config),)) as aio:
        await aio.get("http://mouse-svc/")


def instrumenting() -> None:
    assert_type(instrument(), tuple[str, ...])
    assert_type(instrument("httpx", "requests", config=config), tuple[str, ...])
    uninstrument("httpx")
    uninstrument()


def threads() -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        assert_type(pool.submit(job, 1), Future[str])
    Thread(target=job, args=(1,), daemon=True).start()


def messages(message: Any) -> None:
    headers = outgoing([("content-type", b"text/plain")])
    assert_type(headers, list[tuple[str, Any]])
    with consumed(message, config=config):
        pass


def logs_and_spans() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(PropagationFilter(config))
    logging.setLogRecordFactory(record_factory(config=config))
    structlog.configure(processors=[structlog_processor(config), structlog.processors.JSONRenderer()])
    TracerProvider().add_span_processor(TagFieldsSpanProcessor(config))
    propagator: TextMapPropagator = RemoteFieldsPropagator()
    assert_type(propagator.fields, set[str])


def a_test_of_a_service(app: Starlette) -> None:
    calls = assert_propagates(app, "/sayHello", field="env")
    assert_type([call.url for call in calls], list[str])


def errors() -> None:
    for error in (ConfigError("x"), InvalidValueError("x")):
        problem: PropagationError = error
        raise problem


names: Iterable[str] = propagation.__all__
