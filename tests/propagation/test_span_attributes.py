"""Tag fields become attributes of every span of a request, whoever makes the spans and in whatever order."""

import asyncio

import httpx
import pytest
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as OpenTelemetryWSGI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from propagation import ASGIMiddleware, PropagationConfig, RemoteFieldsPropagator, WSGIMiddleware, use
from propagation.messaging.kafka import consumed
from propagation.spans import TagFieldsSpanProcessor

CONFIG = PropagationConfig(
    remote_fields=("env", "tenant"),
    local_fields=("step",),
    tag_fields=("env", "step"),
    allowed_values={"env": {"gray"}},
)


@pytest.fixture
def exported():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exported):
    provider = TracerProvider()
    provider.add_span_processor(TagFieldsSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exported))
    yield provider
    provider.shutdown()


@pytest.fixture
def _propagated():
    """OpenTelemetry's middleware begins with what its propagators read."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(RemoteFieldsPropagator(CONFIG))
    yield
    propagate.set_global_textmap(before)


def found(exported):
    """Which of our fields each span has, by the span's name."""
    return {
        span.name: {name: value for name, value in span.attributes.items() if name in ("env", "tenant", "step")}
        for span in exported.get_finished_spans()
    }


def hello(provider):
    def endpoint(request):
        with provider.get_tracer("app").start_as_current_span("work"), use(step="2"):
            provider.get_tracer("app").start_span("deeper").end()
        return PlainTextResponse("hello")

    return Starlette(routes=[Route("/", endpoint)])


def ask(app, headers):
    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cat") as client:
            assert (await client.get("/", headers=headers)).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("outer", ["theirs", "ours"])
@pytest.mark.usefixtures("_propagated")
def test_every_span_of_a_request(provider, exported, outer):
    app = hello(provider)
    if outer == "theirs":
        app = OpenTelemetryMiddleware(ASGIMiddleware(app, CONFIG), tracer_provider=provider)
    else:
        app = ASGIMiddleware(OpenTelemetryMiddleware(app, tracer_provider=provider), CONFIG)
    ask(app, {"env": "gray.next", "tenant": "t1"})
    spans = found(exported)
    assert spans.pop("deeper") == {"env": "gray", "step": "2"}
    assert {"work", "GET /"} <= spans.keys()
    assert all(attributes == {"env": "gray"} for attributes in spans.values()), spans


def test_a_value_that_is_not_taken_is_not_tagged(provider, exported):
    ask(OpenTelemetryMiddleware(ASGIMiddleware(hello(provider), CONFIG), tracer_provider=provider), {"env": "nonsense"})
    assert found(exported)["GET /"] == {}


def test_every_span_of_a_wsgi_request(provider, exported):
    def app(environ, start_response):
        provider.get_tracer("app").start_span("work").end()
        start_response("200 OK", [])
        return [b""]

    wrapped = OpenTelemetryWSGI(WSGIMiddleware(app, CONFIG), tracer_provider=provider)
    environ = {
        "REQUEST_METHOD": "GET",
        "HTTP_ENV": "gray",
        "wsgi.url_scheme": "http",
        "PATH_INFO": "/",
        "HTTP_HOST": "cat",
    }
    body = wrapped(environ, lambda *_: None)
    list(body)
    body.close()
    assert set(map(str, found(exported).values())) == {"{'env': 'gray'}"}


def test_a_span_with_a_parent_context_of_its_own(provider, exported):
    with use(env="gray"):
        context = trace.set_span_in_context(trace.INVALID_SPAN)
    processor = TagFieldsSpanProcessor(CONFIG)
    provider.add_span_processor(processor)
    provider.get_tracer("app").start_span("work", context=context).end()
    assert found(exported) == {"work": {"env": "gray"}}


def test_the_span_of_a_message(provider, exported):
    class Message:
        headers = (("env", b"gray"),)

    with provider.get_tracer("app").start_as_current_span("receive"), consumed(Message, config=CONFIG):
        provider.get_tracer("app").start_span("work").end()
    assert found(exported) == {"receive": {"env": "gray"}, "work": {"env": "gray"}}


def test_without_tag_fields_nothing_is_tagged(provider, exported):
    app = OpenTelemetryMiddleware(ASGIMiddleware(hello(provider)), tracer_provider=provider)
    ask(app, {"env": "gray"})
    assert all(attributes == {} for attributes in found(exported).values())
