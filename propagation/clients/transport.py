"""What the transports of httpx and httpx2 share; sync and async differ by one `await`.

A transport sees each redirect hop, which event hooks do not. The request that the caller holds is never changed: sent
again, or followed to another host, it carries nothing of the first time.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Self

from propagation.attachment import current
from propagation.carriers import Found, MappingCarrier, find
from propagation.clients import hop
from propagation.config import PropagationConfig
from propagation.context import config_of, trail_of
from propagation.fields import HeaderNames
from propagation.inject import has_fields, write_fields
from propagation.patching import Undo, patch, undo_all
from propagation.trail import HEADER, Trail

Prepared = tuple[Any, AbstractContextManager[Any] | None, Trail | None]


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
    request, outside, trail = _prepare(request, config)
    if outside is None:
        response = handle(request)
    else:
        with outside:
            response = handle(request)
    if trail is not None:
        trail.take(response.headers, response.headers.get_list(HEADER))
    return response


async def send_async(handle: Callable[[Any], Awaitable[Any]], request: Any, config: PropagationConfig | None) -> Any:
    """As `send`."""
    request, outside, trail = _prepare(request, config)
    if outside is None:
        response = await handle(request)
    else:
        with outside:
            response = await handle(request)
    if trail is not None:
        trail.take(response.headers, response.headers.get_list(HEADER))
    return response


def _prepare(request: Any, config: PropagationConfig | None) -> Prepared:
    """The request to send in place of `request`, the context to send it in, and the trail that its answer is added to.

    The context is None where it is the current one, as for most; entering one costs as much as writing a header.
    """
    context = current()
    rules = config_of(context, config)
    url = request.url
    allowed = rules.allowed_hosts is None or rules.allows(url.host)
    if allowed and not has_fields(context, rules):
        return request, None, None
    kind: Any = type(request.headers)
    headers = kind(request.headers)
    carrier = _Triples(headers) if _keeps_triples(kind) else _Headers(headers)
    sent = hop.like(request, headers)
    if allowed:
        write_fields(carrier, context, rules, url.query)
        return sent, None, trail_of(context)
    return sent, hop.written(carrier, allowed, context, rules, url.query), None


class _Headers(MappingCarrier):
    """Headers of httpx, read and written as the bytes that they are."""

    def find(self, names: HeaderNames) -> Found:
        return find(self._headers.raw, names)

    def add(self, name: str, value: str) -> None:
        self._headers.encoding = "latin-1"
        super().add(name, value)

    def remove(self, name: str) -> None:
        self._headers.encoding = "latin-1"
        super().remove(name)


class _Triples(_Headers):
    """The same by the list that they are kept in: by httpx's own methods each header written costs a search."""

    def find(self, names: HeaderNames) -> Found:
        found: Found = {}
        by_bytes = names.by_bytes
        for _, lower, value in self._headers._list:
            if lower in by_bytes:
                found.setdefault(by_bytes[lower], []).append(value.decode("latin-1"))
        return found

    def add(self, name: str, value: str) -> None:
        key = name.encode("latin-1")
        self._headers._list.append((key, key, value.encode("latin-1")))


@cache
def _keeps_triples(kind: type) -> bool:
    """Whether headers of this type are kept as they are in all of httpx to date, and in httpx2."""
    return getattr(kind({"Name": "value"}), "_list", None) == [(b"Name", b"name", b"value")]


def ask(library: Any, url: str) -> None:
    """A plain GET by `library` (httpx or httpx2)."""
    # Plain HTTP: without `verify=False` it would read a file of certificates all the same.
    with library.Client(trust_env=False, verify=False) as client:
        client.get(url)


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
