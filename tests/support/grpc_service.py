"""A gRPC service without protobuf, sync and async: each answer says which lane its code saw, with which metadata."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc

from propagation import get

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
STEPS = 3


def answer(servicer):
    ours = [(key, value) for key, value in servicer.invocation_metadata() if key in ("env", "baggage", "own")]
    return json.dumps({"lane": get("env"), "metadata": ours}).encode()


def unary(request, servicer):
    return answer(servicer)


def stream(request, servicer):
    for _ in range(STEPS):
        yield answer(servicer)


async def async_unary(request, servicer):
    await asyncio.sleep(0)
    return answer(servicer)


async def async_stream(request, servicer):
    for _ in range(STEPS):
        await asyncio.sleep(0)
        yield answer(servicer)


async def async_writer(request, servicer):
    """The other way to stream: by writing."""
    for _ in range(STEPS):
        await servicer.write(answer(servicer))


def handlers(one, many):
    return [
        grpc.method_handlers_generic_handler(
            "lanes",
            {
                kind: getattr(grpc, f"{kind}_rpc_method_handler")(many if kind.endswith("stream") else one)
                for kind in KINDS
            },
        )
    ]


@contextmanager
def serving(one=unary, many=stream, **options):
    """The sync service; gives its target. One thread, so that a context that stayed would meet the next call."""
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, handlers=handlers(one, many), **options)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@asynccontextmanager
async def serving_async(one=async_unary, many=async_stream, **options):
    """The async service; gives its target."""
    server = grpc.aio.server(handlers=handlers(one, many), **options)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def call(channel, kind, metadata=None):
    """Every answer of one call."""
    request = iter([b"a", b"b"]) if kind.startswith("stream") else b"a"
    found = getattr(channel, kind)(f"/lanes/{kind}")(request, metadata=metadata, timeout=10)
    return [json.loads(one) for one in (found if kind.endswith("stream") else [found])]


async def call_async(channel, kind, metadata=None):
    """Every answer of one call."""
    request = iter([b"a", b"b"]) if kind.startswith("stream") else b"a"
    found = getattr(channel, kind)(f"/lanes/{kind}")(request, metadata=metadata, timeout=10)
    return [json.loads(one) async for one in found] if kind.endswith("stream") else [json.loads(await found)]
