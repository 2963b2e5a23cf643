"""Connection pools for urllib3 that carry the fields on.

A pool talks to one host, and a PoolManager picks a pool for each hop, so the pool is where the host is known.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from propagation.clients.hop import prepare, trail_for
from propagation.config import PropagationConfig
from propagation.hosts import host_of
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER


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
    return undo_all([patch(HTTPConnectionPool, "urlopen", _maker(config)), collect(config)])


def collect(config: PropagationConfig | None) -> Undo:
    """Have every pool of urllib3 add its answers to the trail; the answer takes it back."""
    return patch(HTTPConnectionPool, _ONE_ATTEMPT, _collector(config))


def collecting(pool: type[HTTPConnectionPool], config: PropagationConfig | None) -> type[HTTPConnectionPool]:
    """A class of pools like `pool` whose answers are added to the trail."""
    return type(pool.__name__, (pool,), {_ONE_ATTEMPT: _collector(config)(getattr(pool, _ONE_ATTEMPT))})


def _propagating(pool: type[HTTPConnectionPool], config: PropagationConfig | None) -> type[HTTPConnectionPool]:
    return type(pool.__name__, (collecting(pool, config),), {"urlopen": _maker(config)(pool.urlopen)})


def _collector(config: PropagationConfig | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(self: HTTPConnectionPool, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            response = original(self, conn, method, url, *args, **kwargs)
            if (trail := trail_for(_hosts(self, url), config)) is not None:
                trail.take(response.headers, response.headers.getlist(HEADER))
            return response

        return attempt

    return make


def _maker(config: PropagationConfig | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def urlopen(
            self: HTTPConnectionPool,
            method: str,
            url: str,
            body: Any = None,
            headers: Mapping[str, str] | None = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            sent: Any = self.headers if headers is None else headers
            sent = sent.copy() if hasattr(sent, "copy") else dict(sent)
            with prepare(sent, _hosts(self, url), config, url):
                return original(self, method, url, body, sent, *args, **kwargs)

        return urlopen

    return make


def _hosts(pool: HTTPConnectionPool, url: str) -> Iterator[str | None]:
    """Who will read the headers: the pool's host, and where `url` is whole, as for a proxy, the one that it names."""
    whole = not url.startswith("/") and "://" in url
    if whole:
        yield host_of(url)
    if not whole or pool.proxy is None:
        yield pool.host
