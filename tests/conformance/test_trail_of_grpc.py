"""The trail over gRPC: servers write it as trailing metadata, clients collect it from an answer's metadata."""

import asyncio

import grpc
import pytest
from grpc_clients import Async, Sync
from grpc_service import KINDS, answer, async_stream, async_unary, serving, serving_async
from opentelemetry.context import get_current
from trails import TRAIL, hops, tagged

from propagation import PropagationConfig, instrument, uninstrument
from propagation.clients.grpc import PropagatingInterceptor
from propagation.context import trail_of
from propagation.servers.grpc import AsyncPropagatingServerInterceptor, PropagatingServerInterceptor
from propagation.trail import HEADER

HERE_ONLY = PropagationConfig(trail=True, allowed_hosts=("127.0.0.1",))
ELSEWHERE = PropagationConfig(trail=True, allowed_hosts=("mouse-svc",))


def read(request):
    """Read a stream of requests, or its answer's end could be lost: grpc resets the stream while the client sends."""
    if not isinstance(request, bytes):
        list(request)


def unary(request, servicer):
    """Answers as a service of ours behind a route of the mesh does."""
    read(request)
    servicer.send_initial_metadata(((HEADER, "mouse/prod"),))
    servicer.set_trailing_metadata(((HEADER, "ant/v1"), (HEADER, "not valid")))
    return answer(servicer)


def stream(request, servicer):
    yield unary(request, servicer)
    yield answer(servicer)


def failing(request, servicer):
    unary(request, servicer)
    servicer.abort(grpc.StatusCode.UNAVAILABLE, "no mouse")


@pytest.fixture(scope="module")
def target():
    with serving(unary, stream) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_collects_what_came_after_and_before(grpc_client, target, kind):
    with tagged():
        grpc_client.ask(target, kind)
        grpc_client.ask(target, kind)
        assert hops() == ["ant/v1", "mouse/prod"] * 2


def test_an_error_too_is_an_answer(grpc_client):
    with serving(failing) as target, tagged():
        with pytest.raises(grpc.RpcError):
            grpc_client.ask(target, "unary_unary")
        assert hops() == ["ant/v1", "mouse/prod"]


@pytest.mark.parametrize(("config", "expected"), [(HERE_ONLY, ["ant/v1", "mouse/prod"]), (ELSEWHERE, [])])
def test_a_strangers_answer_is_not_looked_at(grpc_client, target, config, expected):
    with tagged(config):
        grpc_client.ask(target, config=config)
        assert hops() == expected


def test_once_by_hand_and_once_instrumented_counts_once(target):
    instrument("grpc")
    try:
        for kind in KINDS:
            for way in (Sync(), Async()):
                with tagged():
                    way.ask(target, kind)
                    assert hops() == ["ant/v1", "mouse/prod"]
    finally:
        uninstrument("grpc")


def test_a_call_that_has_not_ended_is_not_waited_for(target):
    with grpc.insecure_channel(target) as channel, tagged():
        ours = grpc.intercept_channel(channel, PropagatingInterceptor(target))
        answers = ours.unary_stream("/lanes/unary_stream")(b"a", timeout=10)
        next(answers)
        assert hops() == []
        list(answers)
        assert hops() == ["ant/v1", "mouse/prod"]


def took():
    if trail := trail_of(get_current()):
        trail.take(object(), ["mouse/prod"])


def served_unary(request, servicer):
    took()
    servicer.set_trailing_metadata((("own", "1"), (HEADER, "cat/gray")))
    return answer(servicer)


def served_stream(request, servicer):
    read(request)
    yield served_unary(request, servicer)


def served_abort(request, servicer):
    served_unary(request, servicer)
    servicer.abort(grpc.StatusCode.UNAVAILABLE, "no cat")


async def served_async_unary(request, servicer):
    return served_unary(request, servicer)


async def served_async_stream(request, servicer):
    if not isinstance(request, bytes):
        [_ async for _ in request]
    yield served_unary(request, servicer)


def trailers(target, kind, env):
    """What a plain client is sent at the end."""
    with grpc.insecure_channel(target) as channel:
        request = iter([b"a"]) if kind.startswith("stream") else b"a"
        method = getattr(channel, kind)(f"/lanes/{kind}")
        metadata = (("env", env),) if env else ()
        try:
            if kind.endswith("stream"):
                found = method(request, metadata=metadata, timeout=10)
                list(found)
            else:
                found = method.with_call(request, metadata=metadata, timeout=10)[1]
        except grpc.RpcError as error:
            found = error
        return [tuple(pair) for pair in found.trailing_metadata()]


OWN = [("own", "1"), (HEADER, "cat/gray")]
WHOLE = [("own", "1"), (HEADER, "mouse/prod"), (HEADER, "cat/gray")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_writes_it_beside_the_apps_own(kind):
    with serving(served_unary, served_stream, interceptors=(PropagatingServerInterceptor(TRAIL),)) as target:
        assert trailers(target, kind, "gray") == WHOLE
        assert trailers(target, kind, None) == OWN


def test_a_call_that_the_app_aborts_has_it_too():
    with serving(served_abort, interceptors=(PropagatingServerInterceptor(TRAIL),)) as target:
        assert trailers(target, "unary_unary", "gray") == WHOLE


@pytest.mark.parametrize("kind", KINDS)
def test_an_async_server_writes_it_beside_the_apps_own(kind):
    async def main():
        options = {"interceptors": (AsyncPropagatingServerInterceptor(TRAIL),)}
        async with serving_async(served_async_unary, served_async_stream, **options) as target:
            return [await asyncio.to_thread(trailers, target, kind, env) for env in ("gray", None)]

    assert asyncio.run(main()) == [WHOLE, OWN]


def test_where_it_is_off_a_servers_metadata_is_the_apps_own():
    with serving(served_unary, served_stream, interceptors=(PropagatingServerInterceptor(),)) as target:
        assert trailers(target, "unary_unary", "gray") == OWN


def test_it_goes_from_server_to_server():
    async def ask_mouse(request, servicer):
        await asyncio.to_thread(Sync().ask, mouse, "unary_unary")
        return await async_unary(request, servicer)

    async def main():
        options = {"interceptors": (AsyncPropagatingServerInterceptor(TRAIL),)}
        async with serving_async(ask_mouse, async_stream, **options) as target:
            return await asyncio.to_thread(trailers, target, "unary_unary", "gray")

    with serving(unary, stream) as mouse:
        assert asyncio.run(main()) == [(HEADER, "ant/v1"), (HEADER, "mouse/prod")]
