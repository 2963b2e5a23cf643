"""The pytest plugin: what it sees of an app, what it refuses, and that loading it is cheap."""

import asyncio
import json
import os
import subprocess
import sys

import aiohttp
import httpx
import pytest
import requests
from flask import Flask, request
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach, get_current
from opentelemetry.instrumentation.httpx import SyncOpenTelemetryTransport
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from propagation import ASGIMiddleware, PropagationConfig, PropagationError, WSGIMiddleware, use
from propagation.clients.aiohttp import PropagatingMiddleware
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport
from propagation.clients.requests import PropagatingAdapter

MOUSE = "http://mouse-svc:9002/sayHello?loud=1"
IN_CLUSTER = PropagationConfig(allowed_hosts=("mouse-svc",))


def asgi(endpoint, config=None, **options):
    app = Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])], **options)
    app.add_middleware(ASGIMiddleware, config=config)
    return app


async def by_httpx(request):
    async with httpx.AsyncClient(transport=AsyncPropagatingTransport()) as client:
        return JSONResponse((await client.post(MOUSE, content=b"hello")).json())


async def by_aiohttp(request):
    async def chunks():
        yield b"hello"

    ours = (PropagatingMiddleware(),)
    async with aiohttp.ClientSession(middlewares=ours) as session, session.put(MOUSE, data=chunks()) as response:
        return JSONResponse(await response.json())


def by_requests(request):
    with requests.Session() as session:
        session.mount("http://", PropagatingAdapter())
        session.head("http://10.1.2.3:8080/")
        session.get("http://[2001:db8::1]/")
        return JSONResponse(session.get(MOUSE).json())


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (by_httpx, [("POST", MOUSE)]),
        (by_aiohttp, [("PUT", MOUSE)]),
        (by_requests, [("HEAD", "http://10.1.2.3:8080/"), ("GET", "http://[2001:db8::1]/"), ("GET", MOUSE)]),
    ],
)
def test_the_calls_of_an_app_are_seen_whatever_their_host(assert_propagates, endpoint, expected):
    calls = assert_propagates(asgi(endpoint))
    assert [(call.method, call.url) for call in calls] == expected
    assert all(call.values("env") == ["gray"] for call in calls)


def test_the_reply_and_the_request_are_given(assert_propagates):
    seen = []

    async def endpoint(request):
        with httpx.Client(transport=PropagatingTransport()) as client:
            answer = client.get(MOUSE).json()
        seen.append((request.method, request.url.query, request.headers["x-user"], await request.body(), answer))
        return JSONResponse({})

    options = {
        "method": "POST",
        "headers": {"x-user": "alice"},
        "body": b"hi",
        "reply": json.dumps({"cat": 1}).encode(),
    }
    assert_propagates(asgi(endpoint), "/?a=1", **options)
    assert seen == [("POST", "a=1", "alice", b"hi", {"cat": 1})] * 3


def test_a_wsgi_app_with_a_streamed_body(assert_propagates):
    app = Flask("cat")

    @app.get("/hello")
    def hello():
        def body():
            with requests.Session() as session:
                session.mount("http://", PropagatingAdapter())
                yield session.get(MOUSE).text

        return body(), {"x-seen": request.headers.get("env", "")}

    app.wsgi_app = WSGIMiddleware(app.wsgi_app)
    assert [call.url for call in assert_propagates(app, "/hello")] == [MOUSE]


def test_an_app_whose_calls_are_mocked_is_judged_by_what_it_reads(assert_propagates):
    async def endpoint(request):
        return JSONResponse({})

    async def passing(request, call_next):
        return await call_next(request)

    app = asgi(endpoint)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    assert assert_propagates(app) == []
    with pytest.raises(AssertionError, match="lost: env: gray → the app did not read it"):
        assert_propagates(Starlette(routes=[Route("/", endpoint)]))


def test_what_does_not_carry_is_named(assert_propagates):
    async def endpoint(request):
        with httpx.Client() as client:
            client.get(MOUSE)
        return JSONResponse({})

    with pytest.raises(AssertionError) as error:
        assert_propagates(asgi(endpoint))
    assert str(error.value).splitlines() == [
        "the app does not carry the tag as it should:",
        f"lost: env: gray → GET {MOUSE} went out without it",
        f"lost: env: prod → GET {MOUSE} went out without it",
    ]


def test_the_tag_in_baggage_alone_is_not_enough(assert_propagates):
    def endpoint(request):
        with httpx.Client(transport=SyncOpenTelemetryTransport(httpx.HTTPTransport())) as client:
            client.get(MOUSE)
        return JSONResponse({})

    with pytest.raises(AssertionError, match="went out without it, but for baggage"):
        assert_propagates(asgi(endpoint))


def test_a_tag_of_an_earlier_request_is_found(assert_propagates):
    kept = {}

    def endpoint(request):
        kept.update({name: value for name, value in request.headers.items() if name == "env"})
        with requests.Session() as session:
            session.get(MOUSE, headers=kept)
        return JSONResponse({})

    with pytest.raises(AssertionError) as error:
        assert_propagates(asgi(endpoint))
    assert str(error.value).splitlines()[1:] == [f"LEAK: no env → GET {MOUSE} carries env: prod"]


def test_a_tag_that_stays_after_the_request_is_found(assert_propagates):
    async def app(scope, receive, send):
        for name, value in scope.get("headers", ()):
            if name == b"env":
                attach(set_baggage("env", value.decode()))

    with pytest.raises(AssertionError, match="LEAK: env: gray → env is still 'gray' after the request"):
        assert_propagates(app)


def calling_a_stranger(transport):
    def endpoint(request):
        with httpx.Client(transport=transport()) as client:
            client.get("http://example.com/")
        return JSONResponse({})

    return asgi(endpoint, IN_CLUSTER)


def test_allowed_hosts_is_judged_too(assert_propagates):
    calls = assert_propagates(calling_a_stranger(PropagatingTransport), config=IN_CLUSTER)
    assert [call.values("env") for call in calls] == [[]]
    everywhere = PropagationConfig()
    with pytest.raises(AssertionError, match=r"LEAK: .*example\.com/ carries env to a host that is not allowed"):
        assert_propagates(calling_a_stranger(lambda: PropagatingTransport(config=everywhere)), config=IN_CLUSTER)


def test_the_values_are_those_of_the_config(assert_propagates):
    config = PropagationConfig(remote_fields=("lane",), allowed_values={"lane": {"blue", "green"}})
    (call,) = assert_propagates(asgi(by_httpx, config), config=config)
    assert call.values("lane") == ["blue"]


def test_another_field_than_the_tag(assert_propagates):
    config = PropagationConfig(remote_fields=("env", "tenant"), key_names={"tenant": ("x-tenant",)})
    (call,) = assert_propagates(asgi(by_httpx, config), field="tenant", config=config)
    assert call.values("x-tenant") == ["gray"]
    with pytest.raises(PropagationError, match="'tenent' is not a remote field; there are env, tenant"):
        assert_propagates(asgi(by_httpx, config), field="tenent", config=config)


def test_an_edge_sends_nothing_on(assert_propagates):
    config = PropagationConfig(trust_inbound=False)
    (call,) = assert_propagates(asgi(by_httpx, config), config=config)
    assert call.values("env") == []


def test_tls_cannot_be_looked_into_and_does_not_hang(assert_propagates):
    def endpoint(request):
        with httpx.Client(transport=PropagatingTransport()) as client:
            client.get("https://mouse-svc/")

    assert assert_propagates(asgi(endpoint)) == []


def test_an_app_that_does_not_answer_is_named(assert_propagates):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(60)

    with pytest.raises(AssertionError, match=r"fail: env: gray → the app did not answer within 0\.01 s"):
        assert_propagates(ASGIMiddleware(app), timeout=0.01)


def test_an_app_is_started_and_shut_down(assert_propagates):
    steps = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                steps.append((await receive())["type"])
                scope["state"]["transport"] = AsyncPropagatingTransport()
                await send({"type": f"lifespan.{step}.complete"})
        else:
            async with httpx.AsyncClient(transport=scope["state"]["transport"]) as client:
                await client.get(MOUSE)

    assert len(assert_propagates(ASGIMiddleware(app))) == 1
    assert steps == ["lifespan.startup", "lifespan.shutdown"]


def test_it_works_inside_a_running_loop_and_leaves_its_context(assert_propagates):
    async def main():
        with use(env="blue") as context:
            calls = assert_propagates(asgi(by_httpx))
            assert get_current() == context
        return calls

    assert len(asyncio.run(main())) == 1


def test_connections_are_left_alone_afterwards(assert_propagates, server):
    assert_propagates(asgi(by_httpx))
    requests.get(server.url)
    assert len(server.seen) == 1


def test_what_is_no_app_is_refused(assert_propagates):
    with pytest.raises(PropagationError, match="neither an ASGI nor a WSGI app"):
        assert_propagates(3)


def test_loading_the_plugin_is_cheap_and_reads_no_config():
    code = """if True:
        import sys, propagation.testing
        heavy = {"asyncio", "socketserver", "opentelemetry.sdk", "opentelemetry.trace", "httpx", "requests", "grpc"}
        print(*heavy & sys.modules.keys())
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PROPAGATION_KEY_NAMES": "nonsense"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
