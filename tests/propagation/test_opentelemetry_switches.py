"""What makes OpenTelemetry skip a request does not make us skip it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import loopback
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as OpenTelemetryWSGIMiddleware
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider

from propagation import ASGIMiddleware, WSGIMiddleware, get, inject, instrument, uninstrument, use

SDK: Any = {"tracer_provider": TracerProvider(), "meter_provider": NoOpMeterProvider()}


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(get("env")).encode()})


def ask(app, **headers):
    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cat-svc") as client:
            return (await client.get("/sayHello", headers=headers)).text

    return asyncio.run(main())


@pytest.mark.parametrize("order", ["ours outside", "ours inside"])
def test_a_url_that_opentelemetry_excludes_keeps_its_tag(order):
    excluded: Any = {"excluded_urls": "sayHello", **SDK}
    both: Any
    if order == "ours outside":
        both = ASGIMiddleware(OpenTelemetryMiddleware(app, **excluded))
    else:
        both = OpenTelemetryMiddleware(ASGIMiddleware(app), **excluded)
    assert ask(both, env="gray") == "gray"


@pytest.mark.parametrize("order", ["ours outside", "ours inside"])
def test_inside_an_active_span_the_tag_is_read(order):
    both = (
        ASGIMiddleware(OpenTelemetryMiddleware(app, **SDK))
        if order == "ours outside"
        else OpenTelemetryMiddleware(ASGIMiddleware(app), **SDK)
    )
    with SDK["tracer_provider"].get_tracer("test").start_as_current_span("around") as span:
        assert ask(both, env="gray", baggage="env=prod") == "gray"
        assert trace.get_current_span() is span


def test_an_active_span_stays_active_in_the_app():
    seen = []

    async def spying(scope, receive, send):
        seen.append(trace.get_current_span())
        await app(scope, receive, send)

    with SDK["tracer_provider"].get_tracer("test").start_as_current_span("around") as span:
        ask(ASGIMiddleware(spying), env="gray")
    assert seen == [span]


def test_a_client_url_that_opentelemetry_excludes_carries_the_tag(monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "mouse-svc")
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda self, request: httpx.Response(200, json=dict(request.headers))
    )
    instrument("httpx")
    HTTPXClientInstrumentor().instrument(**SDK)
    try:
        with use(env="gray"), httpx.Client() as client:
            sent = client.get("http://mouse-svc/").json()
    finally:
        HTTPXClientInstrumentor().uninstrument()
        uninstrument("httpx")
    assert (sent["env"], sent["baggage"]) == ("gray", "env=gray")
    assert "traceparent" not in sent


@pytest.mark.parametrize("order", ["ours outside", "ours inside"])
def test_wsgi_bodies_keep_the_tag_and_the_span_beside_opentelemetry(order, caplog):
    def body():
        yield f"{get('env')} "
        yield f"{get('env')} {inject({})['env']}"

    def streaming(environ, start_response):
        start_response("200 OK", [])
        return (part.encode() for part in body())

    both = (
        WSGIMiddleware(OpenTelemetryWSGIMiddleware(streaming, **SDK))
        if order == "ours outside"
        else OpenTelemetryWSGIMiddleware(WSGIMiddleware(streaming), **SDK)
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http", "HTTP_HOST": "cat-svc"}
    environ["HTTP_ENV"] = "gray"
    if order == "ours outside":
        # OpenTelemetry's, further in, begins anew with what its own propagators read: the tag in baggage.
        environ["HTTP_BAGGAGE"] = "env=gray"
    parts: Any = both(environ, lambda *args: None)
    try:
        assert get("env") is None
        assert b"".join(parts) == b"gray gray gray"
    finally:
        parts.close()
    assert "Failed to detach" not in caplog.text


ZERO_CODE = """
from opentelemetry import propagate
from propagation import get
context = propagate.extract({"ENV": "gray.next", "baggage": "user=alice;ttl=5"})
headers = {}
propagate.inject(headers, context)
print(get("env", context), sorted(headers.items()))
"""

SDK_DISABLED = """
import asyncio, httpx
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from propagation import ASGIMiddleware, inject
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(inject({})).encode()})
async def main():
    app_ = OpenTelemetryMiddleware(ASGIMiddleware(app))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_), base_url="http://cat-svc") as client:
        print((await client.get("/", headers={"env": "gray"})).text)
asyncio.run(main())
"""


def run(code, *command, **environ):
    done = subprocess.run(
        [*(command or (sys.executable,)), "-c", code],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


def test_zero_code_the_environment_alone_carries_the_tag():
    out = run(ZERO_CODE, OTEL_PROPAGATORS="tracecontext,baggage,remote_fields")
    assert out == "gray [('baggage', 'env=gray.next,user=alice;ttl=5'), ('env', 'gray.next')]"


def test_with_the_sdk_disabled_the_tag_is_carried():
    out = run(SDK_DISABLED, OTEL_SDK_DISABLED="true", OTEL_PROPAGATORS="tracecontext,baggage,remote_fields")
    assert out == "{'env': 'gray', 'baggage': 'env=gray'}"


INSTRUMENTED = """
import sys, httpx
from propagation import extract, instrument, use
if sys.argv[2:]:
    instrument("httpx")
with use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"})), httpx.Client() as client:
    client.get(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("ours", [[], ["instrument"]], ids=["theirs alone", "and ours"])
def test_zero_code_under_opentelemetry_instrument_it_is_written_once(ours, tmp_path):
    script = tmp_path / "service.py"
    script.write_text(INSTRUMENTED)
    environ = {"OTEL_PROPAGATORS": "tracecontext,baggage,remote_fields", "OTEL_TRACES_EXPORTER": "none"}
    environ |= {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    command = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, script]
    with loopback.serving() as server:
        subprocess.run([*command, server.url, *ours], env=os.environ | environ, check=True, capture_output=True)
    (seen,) = server.seen
    assert seen.ours == {"env": "gray.next", "baggage": "env=gray.next,user=alice;ttl=5"}
