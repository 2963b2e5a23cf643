"""Which interface an object offers to a server: ASGI, WSGI, or none, and then why not."""

from enum import Enum
from inspect import isclass, iscoroutinefunction, signature
from typing import Any

from propagation.errors import PropagationError
from propagation.servers.asgi import ASGIMiddleware
from propagation.servers.wsgi import WSGIMiddleware

_FOREIGN = {
    "aiohttp": "an aiohttp.web application, which aiohttp's own server runs",
    "tornado": "a Tornado application, which Tornado's own server runs",
}
_NEITHER = "neither an ASGI nor a WSGI app"


class NotAnApp(PropagationError):  # noqa: N818  # reads as what it says
    """What was given is neither an ASGI nor a WSGI app."""


class Interface(Enum):
    """How a server calls an app."""

    ASGI = 3
    WSGI = 2


def interface_of(app: Any) -> Interface:
    """How to call `app`. Raises NotAnApp, saying why."""
    found = _interface(app)
    if isinstance(found, str):
        raise NotAnApp(found)
    if isinstance(app, ASGIMiddleware | WSGIMiddleware) and interface_of(app.app) is not found:
        right = "ASGIMiddleware" if found is Interface.WSGI else "WSGIMiddleware"
        raise NotAnApp(f"{type(app).__name__} is around {_shown(app.app)}, which takes {right}")
    return found


def not_an_app(app: Any, returned: Any) -> NotAnApp:
    """The error for what takes the arguments of an app, and returned what no app returns."""
    hint = "; is it a factory? name the app that it makes" if callable(returned) else ""
    return NotAnApp(f"{_shown(app)} is {_NEITHER}: it returned {_shown(returned)}{hint}")


def _interface(app: Any) -> Interface | str:
    for one in type(app).__mro__:
        if (package := one.__module__.partition(".")[0]) in _FOREIGN:
            return f"{_shown(app)} is {_NEITHER}: it is {_FOREIGN[package]}"
    if not callable(app):
        return f"{_shown(app)} is {_NEITHER}: it cannot be called"
    if isclass(app) and not (hasattr(app, "__await__") or hasattr(app, "__iter__")):
        return f"{_shown(app)} is {_NEITHER}: it is a class; name an instance"
    waits = iscoroutinefunction(app) or (not isclass(app) and iscoroutinefunction(type(app).__call__))
    if _takes(app, 3) and (waits or not _takes(app, 2)):
        return Interface.ASGI
    if _takes(app, 2) and not waits:
        return Interface.WSGI
    kind = "a coroutine function" if waits else "a function" if hasattr(app, "__name__") else "an object"
    factory = "; is it a factory? name the app that it makes" if _takes(app, 0) else ""
    return f"{_shown(app)} is {_NEITHER}: it is {kind} that takes neither 3 nor 2 arguments{factory}"


def _takes(app: Any, count: int) -> bool:
    """Whether `app` can be called with so many arguments; what tells nothing of its arguments may be a WSGI app."""
    try:
        signature(app).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return count == Interface.WSGI.value
    return True


def _shown(value: Any) -> str:
    """`value` for a message; the address of an object tells a reader nothing."""
    if "0x" not in (text := repr(value)):
        return text[:100]
    name = getattr(value, "__qualname__", None)
    return str(name) if name else f"an object of {type(value).__module__}.{type(value).__qualname__}"
