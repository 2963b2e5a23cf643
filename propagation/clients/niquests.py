"""niquests, sync and async, carries the fields by the connection pools of urllib3-future, which it is built on."""

from collections.abc import Callable, Mapping
from typing import Any

import niquests
from niquests.packages import urllib3

from propagation.clients.hop import prepare
from propagation.clients.urllib3 import headers_of, hosts_of, urlopen_with_fields
from propagation.config import PropagationConfig
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor


def _ask(url: str) -> None:
    with niquests.Session() as session:
        session.trust_env = False
        session.get(url)


DESCRIPTOR = Descriptor("niquests", sends=Carried.INSTRUMENT, probe=_ask)


def install(config: PropagationConfig | None) -> Undo:
    """Have every session of niquests carry the fields; the answer takes it back."""

    def make_async(original: Callable[..., Any]) -> Callable[..., Any]:
        async def urlopen(
            self: Any,
            method: str,
            url: str,
            body: Any = None,
            headers: Mapping[str, str] | None = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            sent = headers_of(self, headers)
            with prepare(sent, hosts_of(self, url), config, url):
                return await original(self, method, url, body, sent, *args, **kwargs)

        return urlopen

    return undo_all(
        [
            patch(urllib3.HTTPConnectionPool, "urlopen", urlopen_with_fields(config)),
            patch(urllib3.AsyncHTTPConnectionPool, "urlopen", make_async),
        ]
    )
