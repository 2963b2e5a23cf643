"""Pure ASGI middleware: for the time of a request, its fields are the current context's."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current

from propagation import trail
from propagation.carriers import Found
from propagation.config import PropagationConfig, default_config
from propagation.context import READ, READING, STATE_KEY, State, answered_trail, forgetting, outgoing
from propagation.extract import names_read, read_request
from propagation.trail import Trail

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

_STARTS = ("http.response.start", "websocket.accept")
_TRAIL = trail.HEADER.encode()
_LENGTHS = 256  # a longer name is looked at more slowly


class ASGIMiddleware:
    """Reads the fields of each HTTP and websocket request, whatever framework `app` is made with.

    config: default, that of the environment. What is outside this middleware does not see the fields.
    """

    def __init__(self, app: ASGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._alters = self._config.echo or self._config.trail or not self._config.trust_inbound
        self._fresh = State(self._config)
        self._names = {name.encode(): name for name in names_read(self._config)}
        # By the length of a name, whether it can be one of ours: of what a loop can ask, nothing costs less.
        self._lengths = frozenset(map(len, self._names))
        self._wanted = tuple(length in self._lengths for length in range(_LENGTHS))
        # A request without fields needs a context of its own only where having none would mean something else.
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()
        # Servers look here for a coroutine function, to tell ASGI 3 from other interfaces. A call of the middleware
        # itself takes the class's, which makes no coroutine of its own for a request that has no field.
        vars(self)["__call__"] = self._serve

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        wanted = self._wanted
        try:
            # This loop runs for every request: it makes no object for a header that only others read.
            for name, _ in scope["headers"]:
                if wanted[len(name)] and name.lower() in self._names:
                    return self._serve(scope, receive, send)
        except KeyError:
            return self.app(scope, receive, send)  # no request: "lifespan"
        except IndexError:
            return self._serve(scope, receive, send)  # a name longer than `wanted` knows
        if self._always or READING.get():
            return self._serve(scope, receive, send)
        return self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        stale = READ not in scope and READING.get()
        found = self._found(scope)
        if not (found or stale or self._always) or "headers" not in scope:
            await self.app(scope, receive, send)
            return
        current = forgetting(get_current()) if stale else get_current()
        if READ in scope and self._was_read(scope, current):
            await self.app(scope, receive, send)
            return
        scope[READ] = self._config
        context = read_request(current, found, self._fresh)
        collected = None
        if self._alters:
            collected = answered_trail(context, self._config)
            scope, send = self._trusted(scope), self._answering(context, collected, send)
        before, token = READING.get(), attach(context)
        READING.set(collected or True)
        try:
            await self.app(scope, receive, send)
        finally:
            detach(token)
            READING.set(before)  # a reset would fail where a task is closed from outside

    def _found(self, scope: Scope) -> Found:
        found: Found = {}
        names = self._names
        for name, value in scope.get("headers", ()):
            if len(name) in self._lengths and (wanted := names.get(name.lower())):
                found.setdefault(wanted, []).append(value.decode("latin-1"))
        return found

    def _was_read(self, scope: Scope, current: Context) -> bool:
        """Whether a middleware further out read this request. OpenTelemetry's, between us, begins a new context."""
        return scope[READ] == self._config and STATE_KEY in current

    def _trusted(self, scope: Scope) -> Scope:
        """An app that passes its request's headers on must not pass on what was dropped."""
        if self._config.trust_inbound:
            return scope
        return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in self._names]}

    def _answering(self, context: Context, collected: Trail | None, send: Send) -> Send:
        """`send`, which adds to the answer what the config says: the fields, and the trail as it is when it starts."""
        added = self._echoed(context)
        if not added and collected is None:
            return send

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] in _STARTS:
                headers = [*message.get("headers", ()), *added]
                message = {**message, "headers": headers if collected is None else _with_trail(headers, collected)}
            return send(message)

        return send_with_headers

    def _echoed(self, context: Context) -> Pairs:
        if not self._config.echo:
            return []
        return [
            (field.wire_names[0].encode(), value.encode())
            for field in self._config.fields
            if (value := outgoing(field.name, context, self._config))
        ]


def _with_trail(headers: Pairs, collected: Trail) -> Pairs:
    own = [value.decode("latin-1") for name, value in headers if len(name) == len(_TRAIL) and name.lower() == _TRAIL]
    if own:
        headers = [pair for pair in headers if pair[0].lower() != _TRAIL]
    headers += [(_TRAIL, hop.encode()) for hop in collected.hops(own)]
    return headers
