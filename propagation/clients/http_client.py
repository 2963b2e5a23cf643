"""Python's own client, http.client, and all that is built on it: urllib.request, xmlrpc, httplib2, slack_sdk and more.

The hook is the end of a request's headers, so that nothing is written twice: the headers of the program are there by
then, and so is what an instrumentation of urllib3 or requests, which are built on http.client too, has written.
"""

from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.request import ProxyHandler, build_opener

from propagation.attachment import current
from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.context import config_of
from propagation.hosts import host_of
from propagation.inject import has_fields
from propagation.patching import Undo, patch
from propagation.registry import Carried, Descriptor

_COLON = b": "  # as HTTPConnection.putheader writes it


def _ask(url: str) -> None:
    with build_opener(ProxyHandler({})).open(url):
        pass


DESCRIPTOR = Descriptor(None, sends=Carried.INSTRUMENT, probe=_ask)


def install(config: PropagationConfig | None) -> Undo:
    """Have every connection of http.client carry the fields; the answer takes it back."""

    def end(original: Callable[..., Any]) -> Callable[..., Any]:
        def end_with_fields(self: HTTPConnection, *args: Any, **kwargs: Any) -> Any:
            _write(self, config)
            return original(self, *args, **kwargs)

        return end_with_fields

    return patch(HTTPConnection, "endheaders", end)


def _write(connection: Any, config: PropagationConfig | None) -> None:
    # What `putrequest` and `putheader` wrote; http.client offers no other way to what is there already.
    lines: list[bytes] = connection._buffer
    if not lines:
        return  # the program forgot `putrequest`; http.client itself says so
    url = lines[0].split(b" ")[1].decode("latin-1")
    host = _host(connection, url)
    rules = config_of(context := current(), config)
    if not has_fields(context, rules) and rules.allows(host):
        return
    before = [_pair(line) for line in lines[1:]]
    sent: list[Any] = list(before)
    with prepare(sent, (host,), rules, url):
        if sent != before:
            lines[1:] = [_bytes(name) + _COLON + _bytes(value) for name, value in sent]


def _host(connection: Any, url: str) -> str | None:
    """The host that will read the headers: the one in the URL, where that is whole, as for a proxy."""
    if not url.startswith("/") and "://" in url:
        return host_of(url)
    host: str | None = connection._tunnel_host or connection.host
    return host


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(_COLON)
    return name, value


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text
