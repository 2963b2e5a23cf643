"""Beside an OpenTelemetry set-up that is there already, in any order: `env` is read once and written once."""

import asyncio
from typing import Any

import httpx
import pytest
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import (
    AsyncOpenTelemetryTransport,
    HTTPXClientInstrumentor,
    SyncOpenTelemetryTransport,
)
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from stand_in import StandIn

from propagation import (
    ASGIMiddleware,
    PropagationConfig,
    RemoteFieldsPropagator,
    extract,
    get,
    instrument,
    uninstrument,
    use,
)
from propagation.clients.httpx import AsyncPropagatingTransport, PropagatingTransport

SDK: Any = {"tracer_provider": TracerProvider(), "meter_provider": NoOpMeterProvider()}
ONES = {
    "trace": TraceContextTextMapPropagator,
    "baggage": W3CBaggagePropagator,
    "fields": RemoteFieldsPropagator,
}


@pytest.fixture(params=["trace baggage", "trace baggage fields", "fields", "trace fields"])
def propagators(request):
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([ONES[name]() for name in request.param.split()]))
    yield request.param
    propagate.set_global_textmap(before)


def answer(request):
    return httpx.Response(200, json=[[name, value] for name, value in request.headers.multi_items()])


def sent(response):
    """The headers of ours that a request went out with."""
    return sorted((name, value) for name, value in response.json() if name in ("env", "baggage"))


ONCE = [("baggage", "env=gray,user=alice;ttl=5"), ("env", "gray")]


async def calling_app(scope, receive, send):
    """Calls on through both OpenTelemetry's transport and ours, and answers with what went out."""
    with httpx.Client(transport=vars(calling_app)["transport"]) as client:
        body = client.get("http://mouse-svc/").content
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


TRANSPORTS = {
    "ours outside": lambda: PropagatingTransport(SyncOpenTelemetryTransport(httpx.MockTransport(answer), **SDK)),
    "ours inside": lambda: SyncOpenTelemetryTransport(PropagatingTransport(httpx.MockTransport(answer)), **SDK),
}
SERVERS = {
    "ours outside": lambda app: ASGIMiddleware(OpenTelemetryMiddleware(app, **SDK)),
    "ours inside": lambda app: OpenTelemetryMiddleware(ASGIMiddleware(app), **SDK),
}


def ask(app, **headers):
    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cat-svc") as client:
            return await client.get("/sayHello", headers=headers)

    return asyncio.run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("server", SERVERS)
def test_in_any_order_the_tag_is_read_and_written_once(server, transport, propagators):
    if server == "ours outside" and "fields" not in propagators:
        # OpenTelemetry's begins an empty context of its own: only what its propagators read is left. `doctor` says so.
        return
    vars(calling_app)["transport"] = TRANSPORTS[transport]()
    response = ask(SERVERS[server](calling_app), env="gray", baggage="user=alice;ttl=5")
    if transport == "ours outside" and propagators == "trace baggage":
        # Its propagator, last and alone, has no other spelling for what came in.
        assert sent(response) == [("baggage", "user=alice%3Bttl%3D5,env=gray"), ("env", "gray")]
    else:
        assert sent(response) == ONCE


@pytest.mark.slow
@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.usefixtures("propagators")
def test_instrumented_clients_write_it_once_and_come_apart_again(first, monkeypatch):
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda self, request: answer(request))
    plain = httpx.HTTPTransport.handle_request
    # So that what theirs leaves of ours in the chain goes with this test.
    sends = httpx.AsyncHTTPTransport.handle_async_request
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", sends)
    theirs = HTTPXClientInstrumentor()
    steps = [lambda: instrument("httpx"), lambda: theirs.instrument(**SDK)]
    for step in steps if first == "ours" else reversed(steps):
        step()
    try:
        with use(env="gray"), httpx.Client() as client:
            names = [name for name, _ in client.get("http://mouse-svc/").json()]
        assert (names.count("env"), names.count("baggage"), names.count("traceparent")) in ((1, 1, 1), (1, 1, 0))
    finally:
        # Ours first, also where theirs is wrapped around it. (Theirs cannot be taken from under ours.)
        uninstrument("httpx")
        theirs.uninstrument()
    with use(env="gray"), httpx.Client() as client:
        assert sent(client.get("http://mouse-svc/")) == []
    assert httpx.HTTPTransport.handle_request is plain or first == "ours"


@pytest.mark.usefixtures("propagators")
def test_a_stranger_gets_nothing_though_opentelemetrys_stands_further_in():
    config = PropagationConfig(allowed_hosts=("mouse-svc",))
    inner = SyncOpenTelemetryTransport(httpx.MockTransport(answer), **SDK)
    with httpx.Client(transport=PropagatingTransport(inner, config=config)) as client, use(env="gray"):
        assert "env" in dict(sent(client.get("http://mouse-svc/")))
        assert sent(client.get("http://example.com/")) == []
        assert get("env") == "gray"


@pytest.mark.usefixtures("propagators")
def test_a_stranger_gets_nothing_though_opentelemetrys_async_stands_further_out():
    config = PropagationConfig(allowed_hosts=("mouse-svc",))

    async def main():
        inner = AsyncPropagatingTransport(httpx.MockTransport(answer), config=config)
        async with httpx.AsyncClient(transport=AsyncOpenTelemetryTransport(inner, **SDK)) as client:
            with use(env="gray"):
                return sent(await client.get("http://mouse-svc/")), sent(await client.get("http://example.com/"))

    allowed, stranger = asyncio.run(main())
    assert "env" in dict(allowed)
    assert stranger == []


def test_with_allowed_hosts_the_propagator_only_reads():
    config = PropagationConfig(allowed_hosts=("mouse-svc",))
    ours = RemoteFieldsPropagator(config)
    context = ours.extract({"env": "gray"})
    assert get("env", context) == "gray"
    headers = {}
    ours.inject(headers, context)
    assert headers == {}


def test_the_propagator_names_its_headers():
    config = PropagationConfig(remote_fields=("env", "x-request-id"))
    assert RemoteFieldsPropagator(config).fields == {"env", "x-request-id", "baggage"}
    assert RemoteFieldsPropagator(PropagationConfig(baggage="off")).fields == {"env"}


def test_the_propagator_replaces_in_a_list_to_which_a_setter_appends():
    class Appending(StandIn):
        def set(self, carrier, key, value):
            carrier.append((key, value))

    headers = []
    both = CompositePropagator([W3CBaggagePropagator(), RemoteFieldsPropagator()])
    both.inject(headers, extract({"env": "gray", "baggage": "user=alice;ttl=5"}), Appending())
    assert sorted(headers) == ONCE


def test_the_propagator_writes_through_a_setter_into_what_it_does_not_know():
    class Wire:
        def __init__(self):
            self.fields = {}

    class Setter(StandIn):
        def set(self, carrier, key, value):
            carrier.fields[key] = value

    wire = Wire()
    RemoteFieldsPropagator().inject(wire, extract({"env": "gray"}), Setter())
    assert wire.fields == {"env": "gray", "baggage": "env=gray"}


@pytest.mark.parametrize(("value", "lane"), [(b"gray", "gray"), (7, None), (None, None), (b"\xff", None)])
def test_the_propagator_takes_from_a_getter_what_is_no_text(value, lane):
    class Getter(StandIn):
        def get(self, carrier, key):
            return [carrier[key]] if key in carrier else None

    assert get("env", RemoteFieldsPropagator().extract({"env": value}, None, Getter())) == lane


def test_the_propagator_reads_through_a_getter():
    class Getter(StandIn):
        def get(self, carrier, key):
            return {"env": ["gray", "gray"]}.get(key)

    assert get("env", RemoteFieldsPropagator().extract(object(), None, Getter())) == "gray"
