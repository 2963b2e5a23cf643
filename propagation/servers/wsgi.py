"""WSGI middleware: the fields are there for the call of the app and for each step of its body, until `close`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from opentelemetry.context import Context

from propagation.attachment import current
from propagation.config import PropagationConfig, default_config
from propagation.context import READ, STATE_KEY, outgoing, shown_trail
from propagation.extract import RequestReader
from propagation.servers.work import Work
from propagation.trail import HEADER, with_own

Environ = dict[str, Any]
Pairs = list[tuple[str, str]]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class WSGIMiddleware:
    """Reads the fields of each request, whatever framework `app` is made with.

    config: default, that of the environment.
    """

    def __init__(self, app: WSGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._reader = RequestReader(self._config)
        self._keys = [("HTTP_" + name.upper().replace("-", "_"), name) for name in self._config.names_read]
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = tuple([(name, environ[key]) for key, name in self._keys if key in environ])
        context = current()
        if READ in environ and environ[READ] == self._config and STATE_KEY in context:
            return self.app(environ, start_response)
        if found or self._always:
            environ[READ] = self._config
            if not self._config.trust_inbound:
                ours = {key for key, _ in self._keys}
                environ = {key: value for key, value in environ.items() if key not in ours}
            context = self._reader.read(context, found)
            if self._config.echo or self._config.trail:
                start_response = self._answering(context, start_response)
        # Without a field too: what the app attaches and does not detach would tag the thread's next request.
        work = Work(context)
        with work:
            body = self.app(environ, start_response)
        # No code of the app is left to run in these; as they are, a server can take their length, or send the file.
        if isinstance(body, list | tuple) or type(body) is environ.get("wsgi.file_wrapper"):
            return body
        return _Body(body, work)

    def _answering(self, context: Context, start_response: StartResponse) -> StartResponse:
        """`start_response`, which adds what the config says: the fields, and the trail as it is at that moment."""
        added, collected = self._echoed(context), shown_trail(context, self._config)

        def start_with_headers(status: str, headers: Pairs, *exc_info: Any) -> Any:
            headers = [*headers, *added]
            if collected and (hops := collected.hops()):
                headers = _with_trail(headers, hops)
            return start_response(status, headers, *exc_info)

        return start_with_headers if added or collected else start_response

    def _echoed(self, context: Context) -> Pairs:
        if not self._config.echo:
            return []
        fields = [(one.wire_names[0], outgoing(one.name, context, self._config)) for one in self._config.fields]
        return [(name, value) for name, value in fields if value]


class _Body:
    """The app's body, each part of which is made in the request's context."""

    def __init__(self, body: Iterable[bytes], work: Work) -> None:
        self._body, self._work = body, work
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        with self._work:
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)

    def close(self) -> None:
        if close := getattr(self._body, "close", None):
            with self._work:
                close()


def _with_trail(headers: Pairs, hops: list[str]) -> Pairs:
    own = [value for name, value in headers if len(name) == len(HEADER) and name.lower() == HEADER]
    if own:
        headers, hops = [pair for pair in headers if pair[0].lower() != HEADER], with_own(hops, own)
    return headers + [(HEADER, hop) for hop in hops]
