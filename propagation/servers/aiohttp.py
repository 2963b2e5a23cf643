"""aiohttp.web: for the time of a request, its fields are the current context's.

`setup(app)` is the one line, after aiohttp's own plugins; `instrument("aiohttp_server")` does it for every Application
that is made from now on.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web
from aiohttp.payload import AsyncIterablePayload
from opentelemetry.context import Context

from propagation.config import PropagationConfig
from propagation.patching import InForce, Undo, patch_made
from propagation.registry import Carried, Descriptor
from propagation.servers.reading import Reader
from propagation.servers.work import Work
from propagation.trail import HEADER

DESCRIPTOR = Descriptor("aiohttp", receives=Carried.INSTRUMENT, explicit=("propagation.servers.aiohttp.setup",))
Handler = Callable[[web.Request], Any]
# aiohttp warns of names as keys since it has keys of its own.
_make_key: Any = getattr(web, "RequestKey", lambda name, kind: name)
_READER = _make_key("propagation_reader", Reader)
_CONTEXT = _make_key("propagation_context", Context)


def setup(app: web.Application, config: PropagationConfig | None = None) -> None:
    """Have `app`, and every app that it mounts, read the fields of each request.

    config: default, that of the environment. Call it before the app starts; its middleware goes outside the others.
    """
    _setup(app, Reader(config), InForce())


def install(config: PropagationConfig | None) -> Undo:
    """Have every Application that is made from now on read the fields; the answer takes it back, for these too."""
    reader = Reader(config)
    return patch_made(web.Application, lambda app, in_force: _setup(app, reader, in_force))


def _setup(app: web.Application, reader: Reader, in_force: InForce) -> None:
    @web.middleware
    async def read(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not in_force() or reader.has_read(request.get(_READER)):
            return await _answered(handler, request)
        context = reader.read(lambda name: request.headers.getall(name, ()))
        if context is None:
            return await _answered(handler, request)
        request[_READER], request[_CONTEXT] = reader, context
        work = Work(context)
        with work:
            response = await _answered(handler, _trusted(request, reader))
        if isinstance(response, web.Response) and isinstance(response.body, AsyncIterablePayload):
            # Its parts are made when aiohttp sends it, which is after this.
            parts: Any = response.body._iter
            response.body._iter = _parts(parts, work)
        return response

    async def answer(request: web.Request, response: web.StreamResponse) -> None:
        if in_force() and request.get(_READER) is reader:
            reader.answer(request[_CONTEXT], response.headers, response.headers.getall(HEADER, ()))

    app.middlewares.insert(0, read)
    if reader.answers:
        app.on_response_prepare.append(answer)


async def _answered(handler: Handler, request: web.Request) -> web.StreamResponse:
    response: web.StreamResponse = await handler(request)
    return response


def _trusted(request: web.Request, reader: Reader) -> web.Request:
    """An app that passes its request's headers on must not pass on what was dropped."""
    if reader.config.trust_inbound:
        return request
    kept = [(name, value) for name, value in request.headers.items() if name.lower() not in reader.names]
    return request.clone(headers=kept)


async def _parts(parts: AsyncIterator[bytes], work: Work) -> AsyncIterator[bytes]:
    """The parts of a body, each made in the request's context; between them, the connection has its own."""
    while True:
        with work:
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        yield part
