"""Client interceptors for grpc and grpc.aio that carry the fields on, as metadata.

An interceptor is not told where a call goes, so it is made for a target. Without one nothing is known about the host:
where `allowed_hosts` is set, nothing is sent.
"""

import re
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from typing import Any

import grpc

from propagation.clients.grpc_target import UNKNOWN, hosts_of
from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.patching import InForce, Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER, Answer, Trail

DESCRIPTOR = Descriptor(
    "grpcio",
    sends=Carried.INSTRUMENT,
    explicit=("propagation.clients.grpc.PropagatingInterceptor", "propagation.clients.grpc.aio_interceptors"),
)
Metadata = list[tuple[str, str | bytes]]
# gRPC, "PROTOCOL-HTTP2", Custom-Metadata; a call with other metadata fails. "-bin" is for bytes.
_KEY = re.compile(r"[0-9a-z_.-]+(?<!-bin)")


class _Carrying:
    """What sync and async interceptors share."""

    def __init__(self, target: str | None = None, *, config: PropagationConfig | None = None) -> None:
        self._hosts = UNKNOWN if target is None else hosts_of(target)
        self._config = config
        self.in_force = InForce()

    def _prepare(
        self, metadata: Iterable[tuple[str, Any]] | None
    ) -> tuple[Metadata, AbstractContextManager[Trail | None]]:
        """The metadata to send, and the context to send it in."""
        own = list(metadata or ())
        sent = list(own)
        context = prepare(sent, self._hosts, self._config)
        return [_legal(pair) for pair in sent if pair in own or _KEY.fullmatch(pair[0])], context


class PropagatingInterceptor(
    _Carrying,
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """For `grpc.intercept_channel(channel, PropagatingInterceptor(target))`: writes the fields into each call.

    target: as given to the channel; decides about `allowed_hosts`. config: default, that of the request at hand, else
    that of the environment.
    """

    def _intercept(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        if not self.in_force():
            return continuation(details, request)
        metadata, context = self._prepare(details.metadata)
        with context as trail:
            call = continuation(_Details(details, metadata), request)
        if trail is not None:
            trail.take_later(lambda: _answers(call))
        return call

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _intercept


def aio_interceptors(target: str | None = None, *, config: PropagationConfig | None = None) -> list["_Async"]:
    """For `grpc.aio.insecure_channel(target, interceptors=aio_interceptors(target))`: as PropagatingInterceptor.

    grpc.aio takes an interceptor for one kind of call alone, so here is one for each kind.
    """
    return [kind(target, config=config) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


class _Async(_Carrying):
    async def _intercept(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        if not self.in_force():
            return await continuation(details, request)
        metadata, context = self._prepare(details.metadata)
        with context as trail:
            call = await continuation(details._replace(metadata=grpc.aio.Metadata(*metadata)), request)
        if trail is not None:
            trail.take_later(lambda: _async_answers(call))
        return call


class _UnaryUnary(_Async, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary = _Async._intercept


class _UnaryStream(_Async, grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream = _Async._intercept


class _StreamUnary(_Async, grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary = _Async._intercept


class _StreamStream(_Async, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream = _Async._intercept


class _Details(grpc.ClientCallDetails):
    """A call's details with other metadata; other interceptors' own kinds of details may lack some of the rest."""

    def __init__(self, details: Any, metadata: Metadata) -> None:
        self.method = details.method
        self.metadata = tuple(metadata)
        for name in ("timeout", "credentials", "wait_for_ready", "compression"):
            setattr(self, name, getattr(details, name, None))


def install(config: PropagationConfig | None) -> Undo:
    """Have every channel that is made from now on carry the fields; the answer takes it back, for these too."""
    in_force = InForce()

    def sync(original: Callable[..., Any]) -> Callable[..., Any]:
        def channel(target: str, *args: Any, **kwargs: Any) -> Any:
            interceptor = PropagatingInterceptor(target, config=config)
            interceptor.in_force = in_force
            return grpc.intercept_channel(original(target, *args, **kwargs), interceptor)

        return channel

    def unsync(original: Callable[..., Any]) -> Callable[..., Any]:
        def channel(target: str, *args: Any, **kwargs: Any) -> Any:
            interceptors = aio_interceptors(target, config=config)
            for interceptor in interceptors:
                interceptor.in_force = in_force
            return with_changed(
                original, "interceptors", lambda given: [*(given or ()), *interceptors], target, *args, **kwargs
            )

        return channel

    names = ("insecure_channel", "secure_channel")
    return undo_all(
        [in_force.end] + [patch(grpc, name, sync) for name in names] + [patch(grpc.aio, name, unsync) for name in names]
    )


def _legal(pair: tuple[str, Any]) -> tuple[str, Any]:
    """`pair` without tabs in `baggage`, where they are only space between members; gRPC refuses them."""
    name, value = pair
    return (name, value.replace("\t", " ")) if name == "baggage" and isinstance(value, str) else pair


def _answers(call: Any) -> list[Answer] | None:
    """What a call was answered, None where it has not ended: the server's trailers, then what the mesh's routes add."""
    if not call.done():
        return None
    # Layers of interceptors have calls of their own, but the same metadata.
    return [(one, _hops(one)) for one in (call.trailing_metadata(), call.initial_metadata()) if one]


def _async_answers(call: Any) -> list[Answer] | None:
    """As `_answers`, of grpc.aio: each layer has the same call, and metadata anew each time."""
    if not call.done():
        return None
    return [(call, [*_hops(_result(call.trailing_metadata())), *_hops(_result(call.initial_metadata()))])]


def _hops(metadata: Iterable[tuple[str, Any]] | None) -> list[str]:
    return [value for name, value in metadata or () if name == HEADER]


def _result(ready: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that has nothing to wait for."""
    try:
        ready.send(None)
    except StopIteration as stop:
        return stop.value
    finally:
        ready.close()
