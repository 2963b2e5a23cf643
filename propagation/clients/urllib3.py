"""Connection pools for urllib3 that carry the fields on.

A pool talks to one host, and a PoolManager picks a pool for each hop, so the pool is where the host is known.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from propagation.clients.hop import prepare, trail_for
from propagation.config import PropagationConfig
from propagation.hosts import host_of
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER, Answer


def _ask(url: str) -> None:
    with urllib3.PoolManager() as pools:
        pools.request("GET", url, retries=False)


DESCRIPTOR = Descriptor(
    "urllib3",
    sends=Carried.INSTRUMENT,
    explicit=("propagation.clients.urllib3.PropagatingPoolManager",),
    probe=_ask,
)
# `urlopen` answers with the last of its attempts, and does not show what the others were answered.
_ONE_ATTEMPT = "_make_request"
Make = Callable[[Callable[..., Any]], Callable[..., Any]]  # of a method, the one to put in its place


class PropagatingPoolManager(urllib3.PoolManager):
    """A PoolManager that writes the fields into each request, redirect hops and retries included.

    config: default, that of the request at hand, else that of the environment. All else is PoolManager's own.
    """

    def __init__(self, *args: Any, config: PropagationConfig | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pool_classes_by_scheme = {
            scheme: _propagating(pool, config) for scheme, pool in self.pool_classes_by_scheme.items()
        }


def install(config: PropagationConfig | None) -> Undo:
    """Have every pool of urllib3 carry the fields; the answer takes it back."""
    return install_in(HTTPConnectionPool, config)


def install_in(pool: type, config: PropagationConfig | None, *, is_async: bool = False) -> Undo:
    """As `install`, of one class of pools. is_async: whether its methods are coroutines."""
    return undo_all(
        [
            patch(pool, "urlopen", _writing(config, _within_async if is_async else _within)),
            patch(pool, _ONE_ATTEMPT, _collecting(config, _taken_async if is_async else _taken)),
        ]
    )


def collect(config: PropagationConfig | None) -> Undo:
    """Have every pool of urllib3 add its answers to the trail; the answer takes it back."""
    return patch(HTTPConnectionPool, _ONE_ATTEMPT, _collecting(config))


def collecting(pool: type[HTTPConnectionPool], config: PropagationConfig | None) -> type[HTTPConnectionPool]:
    """A class of pools like `pool` whose answers are added to the trail."""
    return type(pool.__name__, (pool,), {_ONE_ATTEMPT: _collecting(config)(getattr(pool, _ONE_ATTEMPT))})


def _propagating(pool: type[HTTPConnectionPool], config: PropagationConfig | None) -> type[HTTPConnectionPool]:
    return type(pool.__name__, (collecting(pool, config),), {"urlopen": _writing(config)(pool.urlopen)})


def _within(context: AbstractContextManager[Any], function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with context:
        return function(*args, **kwargs)


async def _within_async(
    context: AbstractContextManager[Any], function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    with context:
        return await function(*args, **kwargs)


def _writing(config: PropagationConfig | None, within: Callable[..., Any] = _within) -> Make:
    """What makes, of a pool's `urlopen`, one that writes the fields."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def urlopen(
            self: Any,
            method: str,
            url: str,
            body: Any = None,
            headers: Mapping[str, str] | None = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            sent = _headers_of(self, headers)
            context = prepare(sent, _hosts_of(self, url), config, url)
            return within(context, original, self, method, url, body, sent, *args, **kwargs)

        return urlopen

    return make


def _taken(answer: Any, pool: Any, url: str, config: PropagationConfig | None) -> Any:
    """`answer`, which `pool` had for `url`, added to the trail of the request at hand."""
    if (trail := trail_for(_hosts_of(pool, url), config)) is None:
        return answer
    if hasattr(answer, "headers"):
        # What http.client itself read, where it did: it may hand that in too.
        read = getattr(answer, "_original_response", None) or answer.headers
        trail.take(read, answer.headers.getlist(HEADER))
    else:  # urllib3-future's promise of an answer, on a connection that many requests share
        trail.take_later(lambda: _promised(answer) if answer.is_ready else None)
    return answer


async def _taken_async(answer: Awaitable[Any], pool: Any, url: str, config: PropagationConfig | None) -> Any:
    return _taken(await answer, pool, url, config)


def _promised(promise: Any) -> list[Answer]:
    return [(promise.response, promise.response.msg.getlist(HEADER))]


def _collecting(config: PropagationConfig | None, taken: Callable[..., Any] = _taken) -> Make:
    """What makes, of a pool's method for one attempt, one whose answer is added to the trail."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(self: Any, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            return taken(original(self, conn, method, url, *args, **kwargs), self, url, config)

        return attempt

    return make


def _headers_of(pool: Any, headers: Mapping[str, str] | None) -> Any:
    """A copy of the headers that `urlopen` was given, else of the pool's own."""
    sent = pool.headers if headers is None else headers
    return sent.copy() if hasattr(sent, "copy") else dict(sent)


def _hosts_of(pool: Any, url: str) -> Iterator[str | None]:
    """Who will read the headers: the pool's host, and where `url` is whole, as for a proxy, the one that it names."""
    whole = not url.startswith("/") and "://" in url
    if whole:
        yield host_of(url)
    if not whole or pool.proxy is None:
        yield pool.host
