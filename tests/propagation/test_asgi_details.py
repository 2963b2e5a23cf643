"""ASGI as such: other scopes, the context around a request, websockets, and who read a request already."""

import asyncio
import tracemalloc
from contextlib import nullcontext

import pytest
from opentelemetry.context import Context, attach, detach, get_current
from server_apps import Watch, starlette_app
from starlette.testclient import TestClient

from propagation import ASGIMiddleware, PropagationConfig, get, use

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
        assert (b"env", b"gray") in socket.extra_headers


@pytest.mark.parametrize("config", [None, EDGE, PropagationConfig(origin={"env": "gray"})])
def test_other_scopes_are_passed_on_as_they_are(config):
    seen = []

    async def app(*passed):
        seen.append(passed)

    scope = {"type": "lifespan"}
    asyncio.run(ASGIMiddleware(app, config)(scope, "receive", "send"))
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


def test_a_request_is_read_once_so_that_what_the_app_set_since_holds():
    seen = []

    async def inner(scope, receive, send):
        seen.append(get("env"))

    async def outer(scope, receive, send):
        with use(env="prod"):
            await ASGIMiddleware(inner)(scope, receive, send)

    asyncio.run(ASGIMiddleware(outer)(http(("env", "gray")), None, None))
    assert seen == ["prod"]


def test_a_request_is_read_again_where_another_began_an_empty_context_or_asks_for_other_fields():
    seen = []
    other = PropagationConfig(remote_fields=("lane",))

    async def inner(scope, receive, send):
        seen.append((get("env"), get("lane")))

    async def outer(scope, receive, send):
        await ASGIMiddleware(inner, other)(scope, receive, send)
        token = attach(Context())
        await ASGIMiddleware(inner)(scope, receive, send)
        detach(token)

    asyncio.run(ASGIMiddleware(outer)(http(("env", "gray"), ("lane", "blue")), None, None))
    assert seen == [("gray", "blue"), ("gray", None)]


def test_an_edge_takes_the_headers_out_of_the_scope():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["headers"], get("env")))

    headers = [("Env", "gray"), ("accept", "*/*"), ("baggage", "env=gray")]
    with use(env="blue"):
        asyncio.run(ASGIMiddleware(app, EDGE)(http(*headers), None, None))
    assert seen == [([(b"accept", b"*/*")], None)]


def test_no_object_is_made_for_each_header():
    async def app(scope, receive, send):
        pass

    def peak(count):
        scope = http(*((f"x-header-{number}", "value") for number in range(count)))
        coroutine = ASGIMiddleware(app)(scope, None, None)
        tracemalloc.start()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert abs(peak(1000) - peak(10)) < 100  # bytes
