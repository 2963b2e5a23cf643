"""Python's own client, http.client, and all that is built on it: urllib.request, xmlrpc, httplib2, slack_sdk and more.

The hook is the end of a request's headers, so that nothing is written twice: the headers of the program are there by
then, and so is what an instrumentation of urllib3 or requests, which are built on http.client too, has written.
A connection keeps the trail of the request that it has sent until its answer is there.
"""

from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.request import ProxyHandler, build_opener

from propagation.attachment import current
from propagation.clients.hop import prepare
from propagation.config import PropagationConfig
from propagation.context import config_of
from propagation.hosts import host_of
from propagation.inject import has_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor
from propagation.trail import HEADER, Trail

_COLON = b": "  # as HTTPConnection.putheader writes it
_TRAIL = "_propagation_trail"  # on a connection


def _ask(url: str) -> None:
    with build_opener(ProxyHandler({})).open(url):
        pass


DESCRIPTOR = Descriptor(None, sends=Carried.INSTRUMENT, probe=_ask)


def install(config: PropagationConfig | None) -> Undo:
    """Have every connection of http.client carry the fields; the answer takes it back."""

    def end(original: Callable[..., Any]) -> Callable[..., Any]:
        def end_with_fields(self: HTTPConnection, *args: Any, **kwargs: Any) -> Any:
            setattr(self, _TRAIL, _write(self, config))
            return original(self, *args, **kwargs)

        return end_with_fields

    def answer(original: Callable[..., Any]) -> Callable[..., Any]:
        def getresponse_and_collect(self: HTTPConnection, *args: Any, **kwargs: Any) -> HTTPResponse:
            response: HTTPResponse = original(self, *args, **kwargs)
            if trail := vars(self).pop(_TRAIL, None):
                trail.take(response, response.headers.get_all(HEADER, ()))
            return response

        return getresponse_and_collect

    return undo_all([patch(HTTPConnection, "endheaders", end), patch(HTTPConnection, "getresponse", answer)])


def _write(connection: Any, config: PropagationConfig | None) -> Trail | None:
    """Write the fields into the request that `connection` is about to send; the trail that its answer is added to."""
    # What `putrequest` and `putheader` wrote; http.client offers no other way to what is there already.
    lines: list[bytes] = connection._buffer
    if not lines:
        return None  # the program forgot `putrequest`; http.client itself says so
    url = lines[0].split(b" ")[1].decode("latin-1")
    host = _host(connection, url)
    rules = config_of(context := current(), config)
    if not has_fields(context, rules) and rules.allows(host):
        return None
    before = [_pair(line) for line in lines[1:]]
    sent: list[Any] = list(before)
    with prepare(sent, (host,), rules, url) as trail:
        if sent != before:
            lines[1:] = [_bytes(name) + _COLON + _bytes(value) for name, value in sent]
    return trail


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
