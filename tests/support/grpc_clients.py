"""One adapter for each way in which a gRPC client carries the fields: `ask` makes one call, and gives its answers."""

import asyncio

import grpc
from grpc_service import call, call_async

from propagation import instrument
from propagation.clients.grpc import PropagatingInterceptor, aio_interceptors


class Sync:
    """A channel with our interceptor."""

    def ask(self, target, kind="unary_unary", metadata=None, config=None, known=True):
        with grpc.insecure_channel(target) as channel:
            interceptor = PropagatingInterceptor(target if known else None, config=config)
            return call(grpc.intercept_channel(channel, interceptor), kind, metadata)


class SyncInstrumented:
    """A channel made while grpc is instrumented."""

    def ask(self, target, kind="unary_unary", metadata=None, config=None):
        instrument("grpc", config=config)
        with grpc.insecure_channel(target) as channel:
            return call(channel, kind, metadata)


class Async:
    """An asyncio channel with our interceptors."""

    def ask(self, target, kind="unary_unary", metadata=None, config=None, known=True):
        async def main():
            ours = aio_interceptors(target if known else None, config=config)
            async with grpc.aio.insecure_channel(target, interceptors=ours) as channel:
                return await call_async(channel, kind, metadata)

        return asyncio.run(main())


class AsyncInstrumented:
    """An asyncio channel made while grpc is instrumented."""

    def ask(self, target, kind="unary_unary", metadata=None, config=None):
        instrument("grpc", config=config)

        async def main():
            async with grpc.aio.insecure_channel(target) as channel:
                return await call_async(channel, kind, metadata)

        return asyncio.run(main())


CLIENTS = (Sync, SyncInstrumented, Async, AsyncInstrumented)
