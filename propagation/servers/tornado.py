"""Tornado: for the time of a request, its fields are the current context's, in whatever handler, websockets included.

`setup(app)` is the one line; `instrument("tornado_server")` does it for every Application that is made from now on.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.context import Context, get_current
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application, OutputTransform

from propagation.config import PropagationConfig
from propagation.patching import InForce, Undo, patch_made
from propagation.registry import Carried, Descriptor
from propagation.servers.reading import Reader
from propagation.servers.work import Work
from propagation.trail import HEADER

DESCRIPTOR = Descriptor("tornado", receives=Carried.INSTRUMENT, explicit=("propagation.servers.tornado.setup",))
_READER = "_propagation_reader"  # of a request: who read it


def setup(app: Application, config: PropagationConfig | None = None) -> None:
    """Have `app` read the fields of each request. config: default, that of the environment."""
    _setup(app, Reader(config), InForce())


def install(config: PropagationConfig | None) -> Undo:
    """Have every Application that is made from now on read the fields; the answer takes it back, for these too."""
    reader = Reader(config)
    return patch_made(Application, lambda app, in_force: _setup(app, reader, in_force))


def _setup(app: Application, reader: Reader, in_force: InForce) -> None:
    original = app.get_handler_delegate

    def get_handler_delegate(request: HTTPServerRequest, *args: Any, **kwargs: Any) -> HTTPMessageDelegate:
        context = None
        if in_force() and not reader.has_read(vars(request).get(_READER)):
            context = reader.read(request.headers.get_list)
        if context is None:
            return original(request, *args, **kwargs)
        vars(request)[_READER] = reader
        if not reader.config.trust_inbound:
            _drop(request.headers, reader)
        return _InContext(original(request, *args, **kwargs), context)

    vars(app)["get_handler_delegate"] = get_handler_delegate
    if reader.answers:
        app.add_transform(_answering(reader))


def _drop(headers: HTTPHeaders, reader: Reader) -> None:
    """An app that passes its request's headers on must not pass on what was dropped."""
    for name in reader.names:
        if name in headers:
            del headers[name]


def _answering(reader: Reader) -> type[OutputTransform]:
    class Answering(OutputTransform):
        def __init__(self, request: HTTPServerRequest) -> None:
            # Made where the handler is, in the request's context.
            self._context = get_current() if vars(request).get(_READER) is reader else None

        def transform_first_chunk(
            self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
        ) -> tuple[int, HTTPHeaders, bytes]:
            if self._context is not None:
                reader.answer(self._context, headers, headers.get_list(HEADER))
            return status_code, headers, chunk

    return Answering


class _InContext(HTTPMessageDelegate):
    """Each step of a request in its context. The connection, whose code this is called from, serves others between.

    A handler runs as a task of its own, which begins in one of these steps and keeps the context to its end.
    """

    def __init__(self, delegate: HTTPMessageDelegate, context: Context) -> None:
        self._delegate, self._context = delegate, context

    def headers_received(self, *args: Any) -> Awaitable[None] | None:
        done: Awaitable[None] | None = self._run(self._delegate.headers_received, *args)
        return done

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        done: Awaitable[None] | None = self._run(self._delegate.data_received, chunk)
        return done

    def finish(self) -> None:
        self._run(self._delegate.finish)

    def on_connection_close(self) -> None:
        self._run(self._delegate.on_connection_close)

    def _run(self, step: Callable[..., Any], *args: Any) -> Any:
        with Work(self._context):
            done = step(*args)
        return done if done is None else self._awaited(done)

    async def _awaited(self, step: Awaitable[None]) -> None:
        with Work(self._context):
            await step
