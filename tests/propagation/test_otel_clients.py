"""requests and aiohttp with OpenTelemetry's instrumentation around ours, in either order, over redirects."""

import asyncio
from typing import Any

import aiohttp
import pytest
import requests
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from propagation import PropagationConfig, RemoteFieldsPropagator, extract, instrument, uninstrument, use

SDK: Any = {"tracer_provider": TracerProvider(), "meter_provider": NoOpMeterProvider()}
STOCK = [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
NUMERIC = PropagationConfig(allowed_hosts=("127.0.0.0/8",))


def by_requests(url):
    with requests.Session() as session:
        session.get(url)


def by_aiohttp(url):
    async def main():
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    asyncio.run(main())


LIBRARIES: Any = {"requests": (RequestsInstrumentor, by_requests), "aiohttp": (AioHttpClientInstrumentor, by_aiohttp)}


@pytest.fixture(params=["stock propagators", "with remote_fields"])
def _propagators(request):
    before = propagate.get_global_textmap()
    more = [RemoteFieldsPropagator()] if request.param == "with remote_fields" else []
    propagate.set_global_textmap(CompositePropagator([*STOCK, *more]))
    yield
    propagate.set_global_textmap(before)


@pytest.fixture(params=["ours first", "theirs first"])
def both(request, _propagators):
    """both(library, config) instruments it twice, and gives how to send."""

    def make(library, config=None):
        instrumentor, send = LIBRARIES[library]
        steps = [lambda: instrument(library, config=config), lambda: instrumentor().instrument(**SDK)]
        for step in steps if request.param == "ours first" else reversed(steps):
            step()
        return send

    yield make
    uninstrument()
    for instrumentor, _ in LIBRARIES.values():
        if instrumentor().is_instrumented_by_opentelemetry:
            instrumentor().uninstrument()


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_is_written_once(library, both, server):
    send = both(library)
    with use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"}, context=Context())):
        send(server.url)
    (seen,) = server.seen
    assert seen.all("env") == ["gray.next"]
    assert seen.all("baggage") == ["env=gray.next,user=alice;ttl=5"]
    assert len(seen.all("traceparent")) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_redirect_to_a_stranger_takes_nothing_of_ours_along(library, both, server):
    send = both(library, NUMERIC)
    with use(extract({"env": "gray", "baggage": "user=alice;ttl=5"}, context=Context())):
        send(f"{server.url}/to?{server.under_another_name}/to?{server.url}/back")
    first, stranger, last = server.seen
    assert [seen.all("env") for seen in (first, stranger, last)] == [["gray"], [], ["gray"]]
    assert "env=gray" not in stranger.ours.get("baggage", "")
    assert last.all("baggage") == ["env=gray,user=alice;ttl=5"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_stranger_that_is_asked_first_gets_nothing(library, both, server):
    send = both(library, NUMERIC)
    with use(env="gray"):
        send(server.under_another_name)
    assert server.seen[0].ours == {}
