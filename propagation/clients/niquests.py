"""niquests, sync and async, carries the fields by the connection pools of urllib3-future, which it is built on."""

import niquests
from niquests.packages import urllib3

from propagation.clients.urllib3 import install_in
from propagation.config import PropagationConfig
from propagation.patching import Undo, undo_all
from propagation.registry import Carried, Descriptor


def _ask(url: str) -> None:
    with niquests.Session() as session:
        session.trust_env = False
        session.get(url)


DESCRIPTOR = Descriptor("niquests", sends=Carried.INSTRUMENT, probe=_ask)


def install(config: PropagationConfig | None) -> Undo:
    """Have every session of niquests carry the fields; the answer takes it back."""
    return undo_all(
        [
            install_in(urllib3.HTTPConnectionPool, config),
            install_in(urllib3.AsyncHTTPConnectionPool, config, is_async=True),
        ]
    )
