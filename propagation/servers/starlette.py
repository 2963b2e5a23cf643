"""Starlette's and FastAPI's handler of `Exception`, which runs outside of every middleware that an app adds.

Starlette puts its ServerErrorMiddleware around all that `add_middleware` adds: its handler answers with 500 after the
request has left ours. Where an app raises through our middleware, this has the handler run, and answer, as the request.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from opentelemetry.context import Context

from propagation.servers.work import Work

FAILED = "propagation.failed"  # in the scope of a request whose app raised: a Failed
Handler = Callable[[Any, Exception], Any]


class Failed(NamedTuple):
    """A request whose app raised. answering: makes of a `send` one that adds what our middleware adds to an answer."""

    context: Context
    answering: Callable[[Any], Any]


def carry_to_error_handlers(app: Any, middleware: object) -> None:
    """Have the error handlers of `app`, a Starlette, that are around `middleware` run as the requests that failed."""
    from starlette.middleware.errors import ServerErrorMiddleware

    layer = getattr(app, "middleware_stack", None)
    while layer is not None and layer is not middleware:
        if isinstance(layer, ServerErrorMiddleware) and not isinstance(layer.handler, _Carrying | _AsyncCarrying):
            handler: Handler = layer.error_response if layer.handler is None else layer.handler
            layer.handler = _AsyncCarrying(handler) if _is_async(handler) else _Carrying(handler)
        layer = getattr(layer, "app", None)


class _Carrying:
    """A handler that Starlette calls in a thread."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: Any, error: Exception) -> Any:
        failed = request.scope.get(FAILED)
        if failed is None:
            return self._handler(request, error)
        with Work(failed.context):
            return _answer(self._handler(request, error), failed)


class _AsyncCarrying:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, request: Any, error: Exception) -> Any:
        failed = request.scope.get(FAILED)
        if failed is None:
            return await self._handler(request, error)
        with Work(failed.context):
            return _answer(await self._handler(request, error), failed)


def _answer(response: Callable[..., Awaitable[None]], failed: Failed) -> Callable[..., Awaitable[None]]:
    async def respond(scope: Any, receive: Any, send: Any) -> None:
        with Work(failed.context):
            await response(scope, receive, failed.answering(send))

    return respond


def _is_async(handler: Any) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return iscoroutinefunction(handler) or iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
