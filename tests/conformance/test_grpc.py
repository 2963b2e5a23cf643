"""grpc and grpc.aio: clients write the fields, servers read them, in each of the four kinds of call."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_clients import Async, Sync
from grpc_service import (
    KINDS,
    async_stream,
    async_unary,
    async_writer,
    call,
    call_async,
    serving,
    serving_async,
    stream,
    unary,
)
from opentelemetry.context import Context

from propagation import PropagationConfig, extract, get, instrument, uninstrument, use
from propagation.clients.grpc import aio_interceptors, hosts_of
from propagation.servers.grpc import AsyncPropagatingServerInterceptor, PropagatingServerInterceptor

HERE_ONLY = PropagationConfig(allowed_hosts=("127.0.0.1",))
ELSEWHERE = PropagationConfig(allowed_hosts=("mouse-svc",))
READS = {"interceptors": (PropagatingServerInterceptor(),)}
READS_ASYNC = {"interceptors": (AsyncPropagatingServerInterceptor(),)}


@pytest.fixture(scope="module")
def target():
    with serving(**READS) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_the_tag_goes_from_call_to_call(grpc_client, target, kind):
    with use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"}, context=Context())):
        answers = grpc_client.ask(target, kind)
    sent = [["env", "gray.next"], ["baggage", "env=gray.next,user=alice;ttl=5"]]
    assert answers == [{"lane": "gray", "metadata": sent}] * (3 if kind.endswith("stream") else 1)
    # The server has one thread: the next call must not see the one before.
    assert grpc_client.ask(target, kind)[0] == {"lane": None, "metadata": []}


def test_the_callers_own_metadata_wins_and_stays(grpc_client, target):
    with use(env="gray"):
        (answer,) = grpc_client.ask(target, metadata=(("env", "prod"), ("own", "1"), ("baggage", "a=1")))
    assert answer["lane"] == "prod"
    assert sorted(answer["metadata"]) == [["baggage", "env=prod,a=1"], ["env", "prod"], ["own", "1"]]


@pytest.mark.parametrize(("config", "lane"), [(HERE_ONLY, "gray"), (ELSEWHERE, None)])
def test_allowed_hosts_holds(grpc_client, target, config, lane):
    with use(env="gray"):
        (answer,) = grpc_client.ask(target, metadata=(("own", "1"),), config=config)
    assert answer["lane"] == lane
    assert ["own", "1"] in answer["metadata"]
    assert lane or answer["metadata"] == [["own", "1"]]


@pytest.mark.parametrize("grpc_client", [Sync, Async], indirect=True)
def test_without_a_target_nothing_goes_where_hosts_are_listed(grpc_client, target):
    with use(env="gray"):
        assert grpc_client.ask(target, config=HERE_ONLY, known=False)[0]["metadata"] == []
        assert grpc_client.ask(target, known=False)[0]["lane"] == "gray"


def test_metadata_that_grpc_refuses_is_not_sent(grpc_client, target):
    config = PropagationConfig(remote_fields=("env", "tenant", "key-bin"), key_names={"tenant": ("x!tenant",)})
    arrived = {"env": "gray", "x!tenant": "t1", "key-bin": "k", "baggage": "a=1;\tp"}
    with use(extract(arrived, config=config, context=Context())):
        (answer,) = grpc_client.ask(target, config=config)
    assert answer["metadata"] == [["env", "gray"], ["baggage", "env=gray,tenant=t1,key-bin=k,a=1; p"]]


def test_once_by_hand_and_once_instrumented_is_once(target):
    instrument("grpc")
    instrument("grpc")
    with use(env="gray"):
        (answer,) = Sync().ask(target)
    uninstrument("grpc")
    assert answer["metadata"] == [["env", "gray"], ["baggage", "env=gray"]]


def test_uninstrument_takes_it_back_for_channels_that_are_there(target):
    before = (grpc.insecure_channel, grpc.secure_channel, grpc.aio.insecure_channel, grpc.aio.secure_channel)
    instrument("grpc")
    with grpc.insecure_channel(target) as channel, use(env="gray"):
        uninstrument("grpc")
        uninstrument("grpc")
        assert call(channel, "unary_unary")[0]["metadata"] == []
    assert before == (grpc.insecure_channel, grpc.secure_channel, grpc.aio.insecure_channel, grpc.aio.secure_channel)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("one", "many"), [(async_unary, async_stream), (async_unary, async_writer), (unary, stream)])
def test_an_async_server_reads_for_each_kind_of_handler(kind, one, many):
    async def main():
        async with (
            serving_async(one, many, **READS_ASYNC) as target,
            grpc.aio.insecure_channel(target, interceptors=aio_interceptors(target)) as channel,
        ):
            with use(env="gray"):
                tagged = await call_async(channel, kind)
            return tagged, await call_async(channel, kind)

    tagged, untagged = asyncio.run(main())
    assert [answer["lane"] for answer in tagged] == ["gray"] * (3 if kind.endswith("stream") else 1)
    assert [answer["lane"] for answer in untagged] == [None] * len(tagged)


def test_servers_made_while_instrumented_read():
    instrument("grpc_server")
    with serving() as target:
        assert Sync().ask(target, metadata=(("env", "gray"),))[0]["lane"] == "gray"
        uninstrument("grpc_server")
        assert Sync().ask(target, metadata=(("env", "gray"),))[0]["lane"] is None


def test_async_servers_made_while_instrumented_read():
    async def main():
        instrument("grpc_server")
        async with serving_async() as target, grpc.aio.insecure_channel(target) as channel:
            tagged = (("env", "gray"),)
            during = await call_async(channel, "unary_unary", tagged)
            uninstrument("grpc_server")
            after = await call_async(channel, "unary_unary", tagged)
        return [answer["lane"] for answer in during + after]

    assert asyncio.run(main()) == ["gray", None]


def test_an_edge_drops_what_comes_in():
    edge = PropagatingServerInterceptor(PropagationConfig(trust_inbound=False))
    with serving(interceptors=(edge,)) as target:
        assert Sync().ask(target, metadata=(("env", "gray"),))[0]["lane"] is None


def test_an_unknown_method_stays_unknown(target):
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/lanes/nowhere")(b"", timeout=10)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_calls_at_once_do_not_share_a_tag():
    lanes = ["gray", "prod", None]

    async def main():
        async with (
            serving_async(**READS_ASYNC) as target,
            grpc.aio.insecure_channel(target, interceptors=aio_interceptors(target)) as channel,
        ):

            async def ask(lane):
                with use(env=lane):
                    return {answer["lane"] for answer in await call_async(channel, "stream_stream")}

            return await asyncio.gather(*(ask(lanes[number % 3]) for number in range(60)))

    assert asyncio.run(main()) == [{lanes[number % 3]} for number in range(60)]


def test_a_stream_that_the_client_leaves_ends_in_its_own_context():
    seen = []

    def endless(request, servicer):
        try:
            while True:
                yield b"more"
        finally:
            seen.append(get("env"))

    with serving(many=endless, **READS) as target, grpc.insecure_channel(target) as channel:
        answers = channel.unary_stream("/lanes/unary_stream")(b"", metadata=(("env", "gray"),), timeout=10)
        next(answers)
        answers.cancel()
    assert seen == ["gray"]


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("mouse-svc:9002", ("mouse-svc",)),
        ("localhost:50051", ("localhost",)),
        ("dns:mouse-svc:9002", ("mouse-svc",)),
        ("dns:///mouse-svc.pets:9002", ("mouse-svc.pets",)),
        ("dns://8.8.8.8/mouse-svc:9002", ("mouse-svc",)),
        ("xds:///mouse-svc.pets:9002", ("mouse-svc.pets",)),
        ("ipv4:10.0.0.1:80,10.0.0.2:81", ("10.0.0.1", "10.0.0.2")),
        ("ipv6:[2001:db8::1]:80", ("2001:db8::1",)),
        ("[::1]:50051", ("::1",)),
        ("dns:///%5B::1%5D:50051", ("::1",)),
        ("unix:/run/mouse.sock", (None,)),
        ("unix:///run/mouse.sock", (None,)),
        ("unix-abstract:mouse", (None,)),
        ("", (None,)),
    ],
)
def test_the_hosts_of_a_target(target, hosts):
    assert hosts_of(target) == hosts


def test_threads_of_a_sync_server_do_not_keep_a_tag():
    with ThreadPoolExecutor(2) as pool, serving(**READS) as target:
        lanes = ["gray", "prod", None] * 8
        asked = [pool.submit(Sync().ask, target, "unary_stream", (("env", lane),) if lane else None) for lane in lanes]
        assert [{answer["lane"] for answer in one.result()} for one in asked] == [{lane} for lane in lanes]
