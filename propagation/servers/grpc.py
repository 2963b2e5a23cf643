"""Server interceptors for grpc and grpc.aio: for the time of a call, its fields are the current context's."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import grpc
from opentelemetry.context import Context, attach

from propagation import carriers
from propagation.attachment import current
from propagation.config import PropagationConfig, default_config
from propagation.context import State, config_of, shown_trail
from propagation.extract import read_request
from propagation.patching import InForce, Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor
from propagation.servers.work import Work
from propagation.trail import HEADER, with_own

DESCRIPTOR = Descriptor(
    "grpcio",
    receives=Carried.INSTRUMENT,
    explicit=(
        "propagation.servers.grpc.PropagatingServerInterceptor",
        "propagation.servers.grpc.AsyncPropagatingServerInterceptor",
    ),
)
Behavior = Callable[[Any, Any], Any]


class _Reading:
    """What sync and async interceptors share."""

    def __init__(self, config: PropagationConfig | None = None) -> None:
        self._config = default_config() if config is None else config
        self._names = self._config.names_read
        self.in_force = InForce()

    def _handler(self, handler: Any, metadata: Any) -> Any:
        """`handler` with its code run in the context that `metadata` makes; None, for an unknown method, as it is."""
        if handler is None or not self.in_force():
            return handler
        streams = (handler.request_streaming, handler.response_streaming)
        kind = "_".join("stream" if many else "unary" for many in streams)

        def read() -> Context:
            return read_request(current(), carriers.find(metadata or (), self._names), State(self._config))

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped = _wrapped(getattr(handler, kind), handler.response_streaming, read)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)


class PropagatingServerInterceptor(_Reading, grpc.ServerInterceptor):
    """For `grpc.server(pool, interceptors=(PropagatingServerInterceptor(),))`.

    config: default, that of the environment.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """As grpc asks of it."""
        return self._handler(continuation(handler_call_details), handler_call_details.invocation_metadata)


class AsyncPropagatingServerInterceptor(_Reading, grpc.aio.ServerInterceptor):
    """For `grpc.aio.server(interceptors=(AsyncPropagatingServerInterceptor(),))`."""

    async def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """As grpc.aio asks of it."""
        return self._handler(await continuation(handler_call_details), handler_call_details.invocation_metadata)


def install(config: PropagationConfig | None) -> Undo:
    """Have every server that is made from now on read the fields; the answer takes it back, for these servers too."""
    in_force = InForce()

    def maker(interceptor: type[_Reading]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            def server(*args: Any, **kwargs: Any) -> Any:
                ours = interceptor(config)
                ours.in_force = in_force
                return with_changed(original, "interceptors", lambda given: [*(given or ()), ours], *args, **kwargs)

            return server

        return make

    return undo_all(
        [
            in_force.end,
            patch(grpc, "server", maker(PropagatingServerInterceptor)),
            patch(grpc.aio, "server", maker(AsyncPropagatingServerInterceptor)),
        ]
    )


def _wrapped(behavior: Behavior, streaming: bool, read: Callable[[], Context]) -> Behavior:
    """`behavior` of the same kind: grpc.aio asks of a function what it is, and calls sync ones in a thread."""
    if isasyncgenfunction(behavior):
        return _async_steps(behavior, read)
    if iscoroutinefunction(behavior):
        return _async_call(behavior, read)
    return _steps(behavior, read) if streaming else _call(behavior, read)


def _call(behavior: Behavior, read: Callable[[], Context]) -> Behavior:
    def call(request: Any, servicer: Any) -> Any:
        context = read()
        try:
            with Work(context):
                return behavior(request, servicer)
        finally:
            _add_trail(servicer, context)

    return call


def _async_call(behavior: Behavior, read: Callable[[], Context]) -> Behavior:
    async def call(request: Any, servicer: Any) -> Any:
        context = read()
        try:
            with Work(context):
                return await behavior(request, servicer)
        finally:
            _add_trail(servicer, context)

    return call


def _steps(behavior: Behavior, read: Callable[[], Context]) -> Behavior:
    def steps(request: Any, servicer: Any) -> Iterator[Any]:
        # A context of the call's own, entered for each step: what is attached in it ends with it.
        own, context = copy_context(), read()
        own.run(attach, context)
        responses = own.run(lambda: iter(behavior(request, servicer)))
        try:
            while True:
                try:
                    response = own.run(next, responses)
                except StopIteration:
                    return
                yield response
        finally:
            if close := getattr(responses, "close", None):
                own.run(close)
            _add_trail(servicer, context)

    return steps


def _async_steps(behavior: Behavior, read: Callable[[], Context]) -> Behavior:
    async def steps(request: Any, servicer: Any) -> AsyncIterator[Any]:
        context = read()
        work = Work(context)
        responses = behavior(request, servicer)
        try:
            while True:
                try:
                    with work:
                        response = await responses.__anext__()
                except StopAsyncIteration:
                    return
                yield response
        finally:
            with work:
                await responses.aclose()
            _add_trail(servicer, context)

    return steps


def _add_trail(servicer: Any, context: Context) -> None:
    """Add the trail to the trailing metadata of a call that ends."""
    collected = shown_trail(context, config_of(context))
    # A sync handler of grpc.aio cannot be asked what its code has set, and what it has set must stay.
    if collected is None or not hasattr(servicer, "trailing_metadata"):
        return
    if hops := collected.hops():
        written = list(servicer.trailing_metadata() or ())
        own = [value for name, value in written if name == HEADER]
        kept = [pair for pair in written if pair[0] != HEADER]
        servicer.set_trailing_metadata((*kept, *((HEADER, hop) for hop in with_own(hops, own))))
