"""Tornado's HTTP clients and its websocket client carry the fields."""

import asyncio
import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from opentelemetry.context import Context, attach, detach
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import SimpleAsyncHTTPClient, _HTTPConnection
from tornado.websocket import WebSocketClientConnection

from propagation.attachment import current
from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.context import config_of
from propagation.hosts import host_of
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER, Trail


def _ask(url: str) -> None:
    async def main() -> None:
        client = AsyncHTTPClient(force_instance=True)
        await client.fetch(url)
        client.close()

    # By sockets of Python alone, whatever loop the process prefers: no other can be looked into.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


DESCRIPTOR = Descriptor("tornado", sends=Carried.INSTRUMENT, probe=_ask)
# On a request: its answer arrives in the context of whichever request released this one from its client's queue.
_ORIGIN, _TRAIL = "_propagation_origin", "_propagation_trail"


class _Origin(NamedTuple):
    """How a request began, kept on it for its redirects.

    context: of the program that sent it. A client follows a redirect in the context of whichever request released this
    one from its queue. own: the headers of our names that the program itself gave.
    """

    context: Context
    own: list[tuple[str, str]]


def install(config: PropagationConfig | None) -> Undo:
    """Have every client of tornado carry the fields; the answer takes it back."""

    def fetch(original: Callable[..., Any]) -> Callable[..., Any]:
        def fetch_with_fields(self: AsyncHTTPClient, request: Any, raise_error: bool = True, **kwargs: Any) -> Any:
            if isinstance(request, HTTPRequest) and kwargs:
                return original(self, request, raise_error, **kwargs)  # which tornado refuses
            sent = copy.copy(request) if isinstance(request, HTTPRequest) else HTTPRequest(request, **kwargs)
            headers = HTTPHeaders(sent.headers or {})
            origin = vars(sent).get(_ORIGIN) or _begun(headers, config)
            setattr(sent, _ORIGIN, origin)
            _restore(headers, origin, config)
            sent.headers = headers
            token = attach(origin.context)
            try:
                with prepare(headers, _hosts(self, sent), config, sent.url) as trail:
                    _collect(self, sent, trail)
                    return original(self, sent, raise_error)
            finally:
                detach(token)

        return fetch_with_fields

    def connect(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect_with_fields(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
            with prepare(request.headers, (host_of(request.url),), config, request.url) as trail:
                setattr(request, _TRAIL, trail)
                original(self, request, *args, **kwargs)

        return connect_with_fields

    def receive(original: Callable[..., Any]) -> Callable[..., Any]:
        async def receive_and_collect(self: Any, start_line: Any, headers: HTTPHeaders) -> None:
            if trail := getattr(self.request, _TRAIL, None):
                trail.take(headers, headers.get_list(HEADER))
            await original(self, start_line, headers)

        return receive_and_collect

    # A redirect is followed below `fetch`, and shows its answer to nobody else.
    answered = [patch(owner, "headers_received", receive) for owner in (_HTTPConnection, WebSocketClientConnection)]
    return undo_all(
        [patch(AsyncHTTPClient, "fetch", fetch), patch(WebSocketClientConnection, "__init__", connect), *answered]
    )


def _collect(client: AsyncHTTPClient, request: HTTPRequest, trail: Trail | None) -> None:
    """Have what `request` is answered, at each hop that its client makes by itself, added to `trail`."""
    if isinstance(client, SimpleAsyncHTTPClient):
        setattr(request, _TRAIL, trail)
    elif trail is not None:
        own: Any = request.header_callback or client.defaults.get("header_callback")
        request.header_callback = _collecting(trail, own)


def _collecting(trail: Trail, own: Callable[[str], None] | None) -> Callable[[str], None]:
    def receive(line: str) -> None:
        name, _, value = line.partition(":")
        if name.lower() == HEADER:
            trail.take(object(), (value.strip(),))
        if own is not None:
            own(line)

    return receive


def _begun(headers: HTTPHeaders, config: PropagationConfig | None) -> _Origin:
    context = current()
    names = config_of(context, config).names_read
    return _Origin(context, [(name, value) for name, value in headers.get_all() if name.lower() in names])


def _restore(headers: HTTPHeaders, origin: _Origin, config: PropagationConfig | None) -> None:
    """Make of the headers of the hop before, which a redirect begins with, the program's own."""
    for name in config_of(origin.context, config).names_read:
        if name in headers:
            del headers[name]
    for name, value in origin.own:
        headers.add(name, value)


def _hosts(client: AsyncHTTPClient, request: HTTPRequest) -> Iterator[str | None]:
    yield host_of(request.url)
    # libcurl follows redirects by itself, with the same headers, to hosts that nobody knows before.
    if not isinstance(client, SimpleAsyncHTTPClient) and request.follow_redirects is not False:
        yield None
