"""Pure ASGI middleware: for the time of a request, its fields are the current context's."""

import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from opentelemetry.context import Context, attach, get_current

from propagation.attachment import AROUND, current
from propagation.config import PropagationConfig, default_config
from propagation.context import READ, READING, STATE_KEY, TRAIL_KEY, forgetting, outgoing, shown_trail
from propagation.extract import Pairs, RequestReader
from propagation.trail import HEADER, Trail, with_own

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_STARTS = ("http.response.start", "websocket.accept")
_TRAIL = HEADER.encode()
_reading, _around = READING.get, AROUND.get
_LENGTHS = 256  # a longer name is looked at more slowly


class ASGIMiddleware:
    """Reads the fields of each HTTP and websocket request, whatever framework `app` is made with.

    config: default, that of the environment. What is outside this middleware does not see the fields.
    """

    def __init__(self, app: ASGIApp, config: PropagationConfig | None = None) -> None:
        self.app = app
        self._config = default_config() if config is None else config
        self._alters = self._config.echo or self._config.trail or not self._config.trust_inbound
        self._reader = RequestReader(self._config)
        self._names = {name.encode(): name for name in self._config.names_read}
        # By the length of a name, whether it can be one of ours: of what a loop can ask, nothing costs less.
        lengths = frozenset(map(len, self._names))
        self._wanted = tuple(length in lengths for length in range(_LENGTHS))
        # A request without fields needs a context of its own only where having none would mean something else.
        self._always = self._config.has_origin or not self._config.trust_inbound or self._config != default_config()
        # Servers tell ASGI 3 from other interfaces by this attribute: is it a coroutine function? A call of the object
        # takes the class's `__call__`, which makes no coroutine of its own for a request that has no field.
        self.__call__ = self._call  # type: ignore[method-assign]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        found: Pairs = ()
        wanted = self._wanted
        try:
            # This loop runs for every request: it makes no object for a header that only others read.
            for name, value in scope["headers"]:
                if wanted[len(name)] and (known := self._names.get(name.lower())):
                    found += ((known, value.decode("latin-1")),)
        except KeyError:
            return self.app(scope, receive, send)  # no request: "lifespan"
        except IndexError:  # a name longer than `wanted` knows
            found = self._found(scope["headers"])
        if found or self._always or _reading():
            return self._serve(scope, receive, send, found)
        return self.app(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        await type(self).__call__(self, scope, receive, send)

    def _found(self, headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
        names = self._names
        return tuple((names[name.lower()], value.decode("latin-1")) for name, value in headers if name.lower() in names)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, found: Pairs) -> None:
        read_with = scope.get(READ)
        stale = read_with is None and _reading()
        if not (found or stale or self._always):
            await self.app(scope, receive, send)
            return
        before = current() if _around() else get_current()  # the first is for who left a block early
        around = forgetting(before) if stale else before
        # OpenTelemetry's middleware, between one of ours further out and this one, may have begun a new context.
        if read_with is not None and read_with == self._config and STATE_KEY in around:
            await self.app(scope, receive, send)
            return
        scope[READ] = self._config
        context = self._reader.read(around, found)
        came, framework = scope, scope.get("app")
        if self._alters:
            send = self._answering(context, send)
            if not self._config.trust_inbound:
                scope = self._trusted(scope)
        token = READING.set(context.get(TRAIL_KEY, True))
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
                READING.reset(token)
            except ValueError:
                pass
            else:
                attach(before)

    def _raised(self, scope: Scope, framework: Any, context: Context) -> None:
        """Starlette handles what an app raises outside of us: that is work of this request too."""
        if "starlette" in sys.modules:
            from propagation.servers.starlette import FAILED, Failed, carry_to_error_handlers

            scope[FAILED] = Failed(context, partial(self._answering, context))
            carry_to_error_handlers(framework, self)

    def _trusted(self, scope: Scope) -> Scope:
        """An app that passes its request's headers on must not pass on what was dropped."""
        return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in self._names]}

    def _answering(self, context: Context, send: Send) -> Send:
        """`send`, which adds to the answer what the config says: the fields, and the trail."""
        if self._config.echo:
            send = _adding(send, self._echoed(context))
        if collected := shown_trail(context, self._config):
            send = _showing(send, collected)
        return send

    def _echoed(self, context: Context) -> Headers:
        return [
            (field.wire_names[0].encode(), value.encode())
            for field in self._config.fields
            if (value := outgoing(field.name, context, self._config))
        ]


def _adding(send: Send, added: Headers) -> Send:
    """`send`, which adds these headers to the answer."""

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] in _STARTS:
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        return send(message)

    return send_with_headers


def _showing(send: Send, collected: Trail) -> Send:
    """`send`, which adds the trail to the answer, as far as it is known when the answer starts."""

    def send_with_trail(message: Message) -> Awaitable[None]:
        if message["type"] in _STARTS and (hops := collected.hops()):
            message = {**message, "headers": _with_trail(list(message.get("headers", ())), hops)}
        return send(message)

    return send_with_trail


def _with_trail(headers: Headers, hops: list[str]) -> Headers:
    own = [value.decode("latin-1") for name, value in headers if len(name) == len(_TRAIL) and name.lower() == _TRAIL]
    if own:
        headers, hops = [pair for pair in headers if pair[0].lower() != _TRAIL], with_own(hops, own)
    return headers + [(_TRAIL, hop.encode()) for hop in hops]
