"""Pure ASGI middleware: for the time of a request, its fields are the current context's."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from functools import partial
from typing import Any

from opentelemetry.context import Context, attach, get_current

from propagation.carriers import Found
from propagation.config import PropagationConfig, default_config
from propagation.context import READ, STATE_KEY, State, forgetting, outgoing
from propagation.extract import read_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# Whether the work at hand belongs to a request that was read. A server's callbacks run in the context of whoever
# registered them, so uvicorn can begin a request in that of one before it on the connection: pipelined, or after a body
# so large that reading paused. Not in OpenTelemetry's context: its own middleware, further in, may begin an empty one.
_READING: ContextVar[bool] = ContextVar("propagation_reading", default=False)


class ASGIMiddleware:
    """Reads the fields of each HTTP and websocket request, whatever framework `app` is made with.

    config: default, that of the environment. What is outside this middleware does not see the fields.
    """

    def __init__(self, app: ASGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._alters = self._config.echo or not self._config.trust_inbound
        self._fresh = State(self._config)
        self._names = {name.encode(): name for name in self._config.names_read}
        self._lengths = frozenset(map(len, self._names))
        # A request without fields needs a context of its own only where having none would mean something else.
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found: Found | None = None
        names, lengths = self._names, self._lengths
        # This loop runs for every request: it makes no object for a header that only others read.
        for name, value in scope.get("headers", ()):
            if len(name) in lengths and (wanted := names.get(name.lower())):
                if found is None:
                    found = {wanted: [value.decode("latin-1")]}
                else:
                    found.setdefault(wanted, []).append(value.decode("latin-1"))
        stale = READ not in scope and _READING.get()
        if not (found or stale or self._always) or "headers" not in scope:
            await self.app(scope, receive, send)
            return
        before = get_current()
        current = forgetting(before) if stale else before
        if READ in scope and self._was_read(scope, current):
            await self.app(scope, receive, send)
            return
        scope[READ] = self._config
        context = read_request(current, found, self._fresh)
        came, framework = scope, scope.get("app")
        if self._alters:
            scope, send = self._trusted(scope), self._echoing(context, send)
        token = _READING.set(True)
        attach(context)
        try:
            await self.app(scope, receive, send)
        except Exception:
            if framework is not None:
                self._raised(came, framework, context)
            raise
        finally:
            # A task that is closed from outside ends where nothing of this request is current.
            try:
                _READING.reset(token)
            except ValueError:
                pass
            else:
                attach(before)

    def _raised(self, scope: Scope, framework: Any, context: Context) -> None:
        """Starlette handles what an app raises outside of us: that is work of this request too."""
        if "starlette" in sys.modules:
            from propagation.servers.starlette import FAILED, Failed, carry_to_error_handlers

            scope[FAILED] = Failed(context, partial(self._echoing, context))
            carry_to_error_handlers(framework, self)

    def _was_read(self, scope: Scope, current: Context) -> bool:
        """Whether a middleware further out read this request. OpenTelemetry's, between us, begins a new context."""
        return scope[READ] == self._config and STATE_KEY in current

    def _trusted(self, scope: Scope) -> Scope:
        """An app that passes its request's headers on must not pass on what was dropped."""
        if self._config.trust_inbound:
            return scope
        return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in self._names]}

    def _echoing(self, context: Context, send: Send) -> Send:
        if not self._config.echo:
            return send
        added = [
            (field.wire_names[0].encode(), value.encode())
            for field in self._config.fields
            if (value := outgoing(field.name, context, self._config))
        ]

        async def send_with_fields(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        return send_with_fields
