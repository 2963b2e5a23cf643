"""What every HTTP client adds to the trail of the request at hand. Adapters: tests/support/http_clients.py."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from http_clients import ADAPTERS
from opentelemetry.context import get_current

from propagation import PropagationConfig, WSGIMiddleware, instrument, uninstrument
from propagation.context import trail_of

NUMERIC = PropagationConfig(trail=True, allowed_hosts=("127.0.0.0/8",))  # so that `localhost` is a stranger
MOUSE = ["ant/v1", "mouse/prod"]


@pytest.fixture(params=ADAPTERS)
def client(request):
    yield ADAPTERS[request.param]
    uninstrument()


def trail(work, env="gray", config=None):
    """The lines of the trail in the answer of an app that does `work` for a request."""
    started = []

    def app(environ, start_response):
        work()
        start_response("200 OK", [])
        return []

    headers = {"HTTP_ENV": env} if env else {}
    middleware = WSGIMiddleware(app, config or PropagationConfig(trail=True))
    middleware(headers, lambda status, headers: started.extend(headers))
    return [value for _, value in started]


def test_the_hops_of_an_answer_get_in_line_by_line(client, server):
    server.trail = {"/a": MOUSE, "/b": ["dog/v2, owl/v3"]}

    def work():
        client.send(f"{server.url}/a")
        client.send(f"{server.url}/b")
        client.send(f"{server.url}/none")

    assert trail(work) == [*MOUSE, "dog/v2", "owl/v3"]


def test_an_untagged_request_has_none(client, server):
    server.trail = {"/a": MOUSE}
    assert trail(lambda: client.send(f"{server.url}/a"), env=None) == []
    assert trail_of(get_current()) is None


def test_what_is_no_hop_stays_out_and_64_is_all(client, server):
    server.trail = {"/a": ["mouse", "a/b/c", "mouse/prod", "x y/z", "<b>/c"], "/b": [", ".join(["m/p"] * 50)] * 20}
    assert trail(lambda: client.send(f"{server.url}/a")) == ["mouse/prod"]
    assert trail(lambda: client.send(f"{server.url}/b")) == ["m/p"] * 64


def test_a_strangers_answer_is_not_looked_at(client, server):
    server.trail = {"/a": MOUSE}

    def work():
        client.send(f"{server.under_another_name}/a", config=NUMERIC)
        client.send(f"{server.url}/a", config=NUMERIC)

    assert trail(work, config=NUMERIC) == MOUSE


def test_each_hop_of_a_redirect_has_its_own(client, server):
    server.trail = {"/to": ["cat/gray"], "/back": ["mouse/prod"]}
    way = f"{server.url}/to?{server.under_another_name}/to?{server.url}/back"
    assert trail(lambda: client.send(way, config=NUMERIC), config=NUMERIC) == ["cat/gray", "mouse/prod"]


def test_each_attempt_has_its_own(client, server):
    server.trail = {"/flaky": ["mouse/gray"]}
    assert trail(lambda: client.send(f"{server.url}/flaky", again=True)) == ["mouse/gray", "mouse/gray"]


def test_calls_at_once_all_get_in_and_requests_share_nothing(client, server):
    server.trail = {f"/{number}": [f"mouse/v{number}"] for number in range(6)}

    def calls():
        with ThreadPoolExecutor(3) as pool:
            for number in range(6):
                pool.submit(copy_context().run, client.send, f"{server.url}/{number}")

    assert sorted(trail(calls)) == [f"mouse/v{number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        one_each = pool.map(lambda number: trail(lambda: client.send(f"{server.url}/{number}")), range(6))
        assert list(one_each) == [[f"mouse/v{number}"] for number in range(6)]


@pytest.mark.parametrize("name", [name for name in ADAPTERS if hasattr(ADAPTERS[name], "main")])
def test_tasks_at_once_all_get_in(name, server):
    server.trail = {f"/{number}": [f"mouse/v{number}"] for number in range(6)}

    async def calls():
        await asyncio.gather(*(ADAPTERS[name].main(f"{server.url}/{number}") for number in range(6)))

    try:
        assert sorted(trail(lambda: asyncio.run(calls()))) == [f"mouse/v{number}" for number in range(6)]
    finally:
        uninstrument()


@pytest.mark.parametrize("name", [name for name in ADAPTERS if f"{name} instrumented" in ADAPTERS])
def test_by_hand_and_instrumented_counts_once(name, server):
    server.trail = {"/a": MOUSE}
    instrument()
    try:
        assert trail(lambda: ADAPTERS[name].send(f"{server.url}/a")) == MOUSE
    finally:
        uninstrument()


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name.endswith(" instrumented")])
def test_where_all_is_instrumented_one_library_on_another_counts_once(name, server):
    server.trail = {"/a": MOUSE}
    instrument()
    try:
        assert trail(lambda: ADAPTERS[name].send(f"{server.url}/a")) == MOUSE
    finally:
        uninstrument()
