"""WSGI middleware: the fields are there for the call of the app and for each step of its body, until `close`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from opentelemetry.context import Context, attach, detach, get_current

from propagation.config import PropagationConfig, default_config
from propagation.context import READ, READING, STATE_KEY, State, outgoing, shown_trail
from propagation.extract import names_read, read_request
from propagation.trail import HEADER, Trail, with_own

Environ = dict[str, Any]
Pairs = list[tuple[str, str]]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
T = TypeVar("T")


class WSGIMiddleware:
    """Reads the fields of each request, whatever framework `app` is made with.

    config: default, that of the environment. WSGI servers join a header that came twice by a comma; equal values count
    as one.
    """

    def __init__(self, app: WSGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._fresh = State(self._config)
        self._keys = {"HTTP_" + name.upper().replace("-", "_"): name for name in names_read(self._config)}
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = {name: _values(name, environ[key]) for key, name in self._keys.items() if key in environ}
        context = get_current()
        if not (found or self._always) or (environ.get(READ) == self._config and STATE_KEY in context):
            return self.app(environ, start_response)
        environ[READ] = self._config
        if not self._config.trust_inbound:
            environ = {key: value for key, value in environ.items() if key not in self._keys}
        context = read_request(context, found, self._fresh)
        collected = shown_trail(context, self._config)
        request = _Request(context, collected)
        if self._config.echo or collected is not None:
            start_response = self._answering(context, collected, start_response)
        body = request.run(self.app, environ, start_response)
        # No code of the app is left to run in these; as they are, a server can take their length, or send the file.
        if isinstance(body, list | tuple) or type(body) is environ.get("wsgi.file_wrapper"):
            return body
        return _Body(body, request)

    def _answering(self, context: Context, collected: Trail | None, start_response: StartResponse) -> StartResponse:
        """`start_response`, which adds what the config says: the fields, and the trail as it is at that moment."""
        added = self._echoed(context)

        def start_with_headers(status: str, headers: Pairs, *exc_info: Any) -> Any:
            headers = [*headers, *added]
            if collected and (hops := collected.hops()):
                headers = _with_trail(headers, hops)
            return start_response(status, headers, *exc_info)

        return start_with_headers

    def _echoed(self, context: Context) -> Pairs:
        if not self._config.echo:
            return []
        fields = [(one.wire_names[0], outgoing(one.name, context, self._config)) for one in self._config.fields]
        return [(name, value) for name, value in fields if value]


class _Request:
    """The context of one request, attached for one step at a time: the server's thread serves others in between.

    What the app attached in one step (a span, say) is there again in the next.
    """

    def __init__(self, context: Context, collected: Trail | None) -> None:
        self.context = context
        self._reading: Trail | bool = collected or True

    def run(self, step: Callable[..., T], *args: Any) -> T:
        before, token = READING.get(), attach(self.context)
        READING.set(self._reading)
        try:
            return step(*args)
        finally:
            self.context = get_current()
            detach(token)
            READING.set(before)


class _Body:
    """The app's body, each part of which is made in the request's context."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body, self._request = body, request
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            self._parts = self._request.run(iter, self._body)
        part: bytes = self._request.run(next, self._parts)
        return part

    def close(self) -> None:
        if close := getattr(self._body, "close", None):
            self._request.run(close)


def _with_trail(headers: Pairs, hops: list[str]) -> Pairs:
    own = [value for name, value in headers if len(name) == len(HEADER) and name.lower() == HEADER]
    if own:
        headers, hops = [pair for pair in headers if pair[0].lower() != HEADER], with_own(hops, own)
    return headers + [(HEADER, hop) for hop in hops]


def _values(name: str, text: str) -> list[str]:
    return [text] if name == "baggage" else text.split(",")
