"""Pure ASGI middleware: for the time of a request, its fields are the current context's."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current

from propagation.carriers import Found
from propagation.config import PropagationConfig, default_config
from propagation.context import outgoing, was_read
from propagation.extract import names_read, read_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ASGIMiddleware:
    """Reads the fields of each HTTP and websocket request, whatever framework `app` is made with.

    config: default, that of the environment. What is outside this middleware does not see the fields.
    """

    def __init__(self, app: ASGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._names = {name.encode(): name for name in names_read(self._config)}
        self._lengths = frozenset(map(len, self._names))
        # A request without fields needs a context of its own only where having none would mean something else.
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # This loop runs for every request: it makes no object, and looks closer only at names of a fitting length.
        for name, _ in scope.get("headers", ()):
            if len(name) in self._lengths and name.lower() in self._names:
                break
        else:
            if not self._always or "headers" not in scope:
                await self.app(scope, receive, send)
                return
        scope, context = self._read(scope, get_current())
        if self._config.echo:
            send = self._echo(context, send)
        token = attach(context)
        try:
            await self.app(scope, receive, send)
        finally:
            detach(token)

    def _read(self, scope: Scope, context: Context) -> tuple[Scope, Context]:
        headers = scope["headers"]
        if was_read(context, headers, self._config):
            return scope, context
        found: Found = {}
        for key, value in headers:
            name = self._names.get(key.lower())
            if name is not None:
                found.setdefault(name, []).append(value.decode("latin-1"))
        if found and not self._config.trust_inbound:
            # An app that passes its request's headers on must not pass on what was dropped.
            headers = [pair for pair in headers if pair[0].lower() not in self._names]
            scope = {**scope, "headers": headers}
        return scope, read_request(context, found, self._config, headers)

    def _echo(self, context: Context, send: Send) -> Send:
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
