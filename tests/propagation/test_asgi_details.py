"""ASGI as such: other scopes, the context around a request, websockets, and who read a request already."""

import asyncio
import inspect
import tracemalloc
from contextlib import nullcontext
from typing import Any

import pytest
import uvicorn
from asgi_answer import run_app
from asgiref.compatibility import guarantee_single_callable
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from server_apps import Watch, starlette_app
from starlette.testclient import TestClient

from propagation import (
    ASGIMiddleware,
    PropagationConfig,
    RemoteFieldsPropagator,
    WSGIMiddleware,
    get,
    inject,
    use,
)
from propagation.rejections import REJECTED

EDGE = PropagationConfig(trust_inbound=False)


def http(*headers):
    return {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]}


def test_a_websocket_keeps_the_tag_for_all_its_messages():
    watch = Watch()
    with TestClient(starlette_app(watch)) as client:
        with client.websocket_connect("/socket", headers={"env": "gray"}) as socket:
            for _ in range(3):
                socket.send_text("tag?")
                assert socket.receive_text() == "gray"
        with client.websocket_connect("/socket") as socket:
            socket.send_text("tag?")
            assert socket.receive_text() == "None"
    assert watch.changed == []


def test_a_websocket_echoes_when_asked():
    with (
        TestClient(starlette_app(Watch(), PropagationConfig(echo=True))) as client,
        client.websocket_connect("/socket", headers={"env": "gray"}) as socket,
    ):
        assert (b"env", b"gray") in list(socket.extra_headers)


@pytest.mark.parametrize("config", [None, EDGE, PropagationConfig(origin={"env": "gray"})])
def test_other_scopes_are_passed_on_as_they_are(config):
    seen = []

    async def app(*passed):
        seen.append(passed)

    scope = {"type": "lifespan"}
    middleware: Any = ASGIMiddleware(app, config)
    asyncio.run(middleware(scope, "receive", "send"))
    assert seen == [(scope, "receive", "send")]
    assert seen[0][0] is scope


@pytest.mark.parametrize("config", [None, EDGE, PropagationConfig(remote_fields=("env", "x-request-id"))])
@pytest.mark.parametrize("headers", [(), (("env", "gray"),), (("env", "a b"),), (("baggage", "a=1"),)])
@pytest.mark.parametrize("error", [None, RuntimeError, asyncio.CancelledError, GeneratorExit])
def test_the_context_is_as_before(config, headers, error, caplog):
    async def app(scope, receive, send):
        if error:
            raise error

    async def main():
        with use(env="prod"):
            before = get_current()
            with pytest.raises(error) if error else nullcontext():
                await ASGIMiddleware(app, config)(http(*headers), None, None)
            assert get_current() is before

    asyncio.run(main())
    assert "Failed to detach" not in caplog.text


def test_a_thousand_requests_at_once_in_one_loop():
    lanes = ("gray", "prod", None)

    async def app(scope, receive, send):
        first = get("env")
        for _ in range(number_of(scope) % 5):
            await asyncio.sleep(0)
        scope["seen"] = {first, get("env"), await asyncio.create_task(later())}

    async def later():
        await asyncio.sleep(0)
        return get("env")

    def number_of(scope):
        return int(scope["headers"][0][1])

    async def main():
        middleware = ASGIMiddleware(app)
        scopes = [http(("x-n", str(n)), *[("env", lanes[n % 3])] * bool(lanes[n % 3])) for n in range(1000)]
        await asyncio.gather(*(middleware(scope, None, None) for scope in scopes))
        return [scope["seen"] for scope in scopes]

    assert asyncio.run(main()) == [{lanes[n % 3]} for n in range(1000)]


@pytest.mark.parametrize("config", [None, EDGE, PropagationConfig(remote_fields=("env", "x-request-id"))])
@pytest.mark.parametrize(("headers", "sent"), [((), {}), ((("env", "prod"),), {"env": "prod", "baggage": "env=prod"})])
def test_a_request_that_begins_in_the_context_of_another_has_nothing_of_it(config, headers, sent):
    seen = []

    async def second(scope, receive, send):
        seen.append((get("step"), inject({})))

    async def first(scope, receive, send):
        with use(step="pay"):
            await ASGIMiddleware(second, config)(http(*headers), None, None)

    reading = PropagationConfig(local_fields=("step",))
    run_app(ASGIMiddleware(first, reading)(http(("env", "gray"), ("baggage", "user=alice")), None, None))
    assert seen == [(None, {} if config is EDGE else sent)]


def test_nor_though_opentelemetry_read_that_one_further_in():
    seen = []

    async def second(scope, receive, send):
        seen.append(inject({}))

    async def theirs(scope, receive, send):
        context = RemoteFieldsPropagator().extract(dict(scope["headers"]), Context())
        token = attach(context)
        await ASGIMiddleware(second)(http(), None, None)
        detach(token)

    run_app(ASGIMiddleware(theirs)(http(("env", "gray")), None, None))
    assert seen == [{}]


def test_a_request_is_read_once_so_that_what_the_app_set_since_holds():
    seen = []

    async def inner(scope, receive, send):
        seen.append(get("env"))

    async def outer(scope, receive, send):
        with use(env="prod"):
            await ASGIMiddleware(inner)(scope, receive, send)

    run_app(ASGIMiddleware(outer)(http(("env", "gray")), None, None))
    assert seen == ["prod"]


def test_a_request_is_read_again_for_other_fields():
    seen = []

    async def inner(scope, receive, send):
        seen.append((get("env"), get("lane")))

    both = ASGIMiddleware(ASGIMiddleware(inner, PropagationConfig(remote_fields=("lane",))))
    run_app(both(http(("env", "gray"), ("lane", "blue")), None, None))
    assert seen == [("gray", "blue")]


def test_a_request_is_read_again_where_another_began_an_empty_context():
    seen = []

    async def inner(scope, receive, send):
        seen.append(get("env"))

    async def anew(scope, receive, send):
        token = attach(Context())
        await ASGIMiddleware(inner)(scope, receive, send)
        detach(token)

    run_app(ASGIMiddleware(anew)(http(("env", "gray")), None, None))
    assert seen == ["gray"]


def ask_asgi(config, *headers):
    """What an app sees and would send on."""
    seen = []

    async def app(scope, receive, send):
        with use(**{"x-note": None}):
            seen.append((get("env"), inject({})))

    run_app(ASGIMiddleware(app, config)(http(*headers), None, None))
    return seen[0]


def ask_wsgi(config, *headers):
    seen = []

    def app(environ, start_response):
        with use(**{"x-note": None}):
            seen.append((get("env"), inject({})))
        return []

    WSGIMiddleware(app, config)({f"HTTP_{name.upper()}": value for name, value in headers}, None)
    return seen[0]


@pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi])
class TestUntagged:
    """A request without a field needs a context of its own where having none would mean something else."""

    def test_the_origin_of_the_process_is_not_a_requests(self, ask, environment):
        environment(origin="env=gray")
        assert get("env") == "gray"
        assert ask(None) == (None, {})
        assert ask(None, ("env", "prod")) == ("prod", {"env": "prod", "baggage": "env=prod"})

    def test_the_clients_of_the_request_follow_its_config(self, ask):
        token = attach(baggage.set_baggage("lane", "gray"))
        config = PropagationConfig(remote_fields=("lane",), key_names={"lane": ("x-lane",)})
        try:
            assert ask(config) == (None, {"x-lane": "gray", "baggage": "lane=gray"})
        finally:
            detach(token)

    def test_an_edge_drops_what_opentelemetry_read_further_out(self, ask):
        token = attach(baggage.set_baggage("env", "gray"))
        try:
            assert ask(EDGE) == (None, {})
            assert ask(None) == ("gray", {"env": "gray", "baggage": "env=gray"})
        finally:
            detach(token)


def test_an_edge_takes_the_headers_out_of_the_scope():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["headers"], get("env")))

    headers = [("Env", "gray"), ("accept", "*/*"), ("baggage", "env=gray")]
    with use(env="blue"):
        run_app(ASGIMiddleware(app, EDGE)(http(*headers), None, None))
    assert seen == [([(b"accept", b"*/*")], None)]


@pytest.mark.parametrize("config", [None, PropagationConfig(trail=True)])
@pytest.mark.parametrize("ours", [(), (("env", "gray"),)], ids=["untagged", "tagged"])
def test_no_object_is_made_for_each_header(config, ours):
    async def app(scope, receive, send):
        pass

    def once(count):
        scope = http(*((f"x-header-{number}", "value") for number in range(count)), *ours)
        coroutine: Any = ASGIMiddleware(app, config)(scope, None, None)
        tracemalloc.start()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def peak(count):
        return min(once(count) for _ in range(5))  # other threads of the test run allocate too

    assert abs(peak(1000) - peak(10)) < 990  # bytes: not one for each header more


def test_servers_see_an_asgi_3_app_whatever_they_look_at():
    async def app(scope, receive, send):
        seen.append(get("env"))

    seen = []
    middleware = ASGIMiddleware(app)
    assert inspect.iscoroutinefunction(middleware.__call__)
    assert guarantee_single_callable(middleware) is middleware
    config = uvicorn.Config(middleware, log_config=None)
    config.load()
    assert config.interface == "asgi3"
    for call in (middleware, middleware.__call__):
        asyncio.run(run(call, http(("env", "gray"))))
        asyncio.run(run(call, http()))
        asyncio.run(run(call, {"type": "lifespan"}))
    assert seen == ["gray", None, None] * 2


def test_what_a_subclass_does_is_done_by_each_way_to_call_it():
    class Marking(ASGIMiddleware):
        async def __call__(self, scope, receive, send):
            await super().__call__({**scope, "marked": True}, receive, send)

    async def app(scope, receive, send):
        seen.append((scope["marked"], get("env")))

    seen = []
    for call in (Marking(app), Marking(app).__call__):
        asyncio.run(run(call, http(("env", "gray"))))
    assert seen == [(True, "gray")] * 2


async def run(app, scope):
    await app(scope, None, None)


@pytest.mark.parametrize("name", ["x-env", "X-ENV", "x-" + "n" * 300])
def test_a_header_of_any_length_and_case_is_read(name):
    config = PropagationConfig(key_names={"env": (name.lower(),)})
    assert ask_asgi(config, ("n" * 400, "value"), (name, "gray"), ("n" * 400, "value"))[0] == "gray"


@pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi])
class TestOneAfterAnother:
    """What a value comes to is remembered; each request is read as if it were the first all the same."""

    def test_what_is_dropped_is_counted_each_time(self, ask):
        seen = []
        app = made(ask, lambda: seen.append(get("env")))
        before = REJECTED.counts["env", "malformed"]
        for _ in range(3):
            drive(ask, app, ("env", "a b"))
        assert REJECTED.counts["env", "malformed"] == before + 3
        assert seen == [None] * 3

    def test_what_one_request_sets_the_next_does_not_have(self, ask):
        def sets():
            token = attach(baggage.set_baggage("user", "alice"))
            seen.append(inject({})["baggage"])
            detach(token)
            seen.append(inject({})["baggage"])

        seen = []
        app = made(ask, sets)
        for _ in range(2):
            drive(ask, app, ("env", "gray"))
        assert seen == ["env=gray,user=alice", "env=gray"] * 2


def made(ask, work):
    """Our middleware around an app that does `work`."""

    async def asgi(scope, receive, send):
        work()

    def wsgi(environ, start_response):
        work()
        return []

    return ASGIMiddleware(asgi) if ask is ask_asgi else WSGIMiddleware(wsgi)


def drive(ask, app, *headers):
    if ask is ask_asgi:
        asyncio.run(run(app, http(*headers)))
    else:
        app({f"HTTP_{name.upper()}": value for name, value in headers}, None)


@pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi])
def test_one_middleware_remembers_right_what_many_requests_bring(ask):
    seen = []
    app = made(ask, lambda: seen.append(inject({})))
    drive(ask, app, ("baggage", "env=prod"), ("env", "gray"))
    drive(ask, app, ("baggage", "env=prod"))
    assert [one["env"] for one in seen] == ["gray", "prod"]
    seen.clear()
    lanes = [f"lane-{number}" for number in range(100)] * 2
    for lane in lanes:
        drive(ask, app, ("env", lane))
        drive(ask, app, ("env", lane), ("baggage", "user=alice"))
    assert [one["baggage"] for one in seen[::2]] == [f"env={lane}" for lane in lanes]
    assert [one["baggage"] for one in seen[1::2]] == [f"env={lane},user=alice" for lane in lanes]


@pytest.mark.slow
@pytest.mark.parametrize("ask", [ask_asgi, ask_wsgi])
def test_any_number_of_values_takes_little_memory(ask, caplog):
    caplog.set_level("INFO", "asyncio")  # else pytest keeps a record of each loop, where a test before asked for all
    app = made(ask, lambda: None)
    drive(ask, app, ("env", "gray"))
    tracemalloc.start()
    for number in range(3000):
        drive(ask, app, ("env", f"{number:064}"))
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert left < 500_000
