"""What the transports of httpx and httpx2 share; sync and async differ by one `await`.

A transport sees each redirect hop, which event hooks do not. The request that the caller holds is never changed: sent
again, or followed to another host, it carries nothing of the first time.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from opentelemetry.context import Context, get_current

from propagation.carriers import Carrier, PairsCarrier
from propagation.config import PropagationConfig
from propagation.context import State, config_of, use, without_fields
from propagation.inject import add_fields, has_fields, remove_fields
from propagation.patching import Undo, patch, undo_all

_AS_IT_IS: AbstractContextManager[None] = nullcontext()


class SyncSending:
    """A sync transport around another."""

    def __init__(self, transport: Any, config: PropagationConfig | None) -> None:
        self._transport, self._config = transport, config

    def handle_request(self, request: Any) -> Any:
        return send(self._transport.handle_request, request, self._config)

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._transport.__exit__(*error)

    def close(self) -> None:
        self._transport.close()


class AsyncSending:
    """An async transport around another."""

    def __init__(self, transport: Any, config: PropagationConfig | None) -> None:
        self._transport, self._config = transport, config

    async def handle_async_request(self, request: Any) -> Any:
        return await send_async(self._transport.handle_async_request, request, self._config)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._transport.__aexit__(*error)

    async def aclose(self) -> None:
        await self._transport.aclose()


def send(handle: Callable[[Any], Any], request: Any, config: PropagationConfig | None) -> Any:
    """Have `handle` send `request` with the fields of the current context."""
    request, context = prepare(request, config)
    with context:
        return handle(request)


async def send_async(handle: Callable[[Any], Awaitable[Any]], request: Any, config: PropagationConfig | None) -> Any:
    """As `send`."""
    request, context = prepare(request, config)
    with context:
        return await handle(request)


def prepare(request: Any, config: PropagationConfig | None) -> tuple[Any, AbstractContextManager[object]]:
    """The request to send in place of `request`, and the context to send it in.

    Of a host that may not have the fields, the context is without them too: OpenTelemetry's instrumentation may stand
    further in, and would write them.
    """
    context = get_current()
    config = config_of(context, config)
    if not config.allows(request.url.host):
        return _changed(request, remove_fields, context, config), use(without_fields(context, State(config)))
    if not has_fields(context, config):
        return request, _AS_IT_IS
    return _changed(request, add_fields, context, config), _AS_IT_IS


def install(library: Any, config: PropagationConfig | None) -> Undo:
    """Have every transport of `library` (httpx or httpx2) carry the fields, until the answer is called."""

    def sync(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, request: send(original.__get__(self), request, config)

    def unsync(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, request: send_async(original.__get__(self), request, config)

    return undo_all(
        [patch(owner, "handle_request", sync) for owner in (library.HTTPTransport, library.WSGITransport)]
        + [
            patch(owner, "handle_async_request", unsync)
            for owner in (library.AsyncHTTPTransport, library.ASGITransport)
        ]
    )


def _changed(
    request: Any,
    change: Callable[[Carrier, Context, PropagationConfig], None],
    context: Context,
    config: PropagationConfig,
) -> Any:
    headers = list(request.headers.raw)
    change(PairsCarrier(headers, bytes, bytes), context, config)
    # With a stream given, a request adds no header of its own.
    return type(request)(
        request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
    )
