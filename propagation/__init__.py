"""Carry a lane's tag from the request that came in to every call that goes out."""

from typing import TYPE_CHECKING

from propagation.lazy import load_when_named

if TYPE_CHECKING:
    from propagation.config import PropagationConfig
    from propagation.context import detached, get, use
    from propagation.errors import ConfigError, InvalidValueError, PropagationError
    from propagation.extract import extract
    from propagation.inject import inject
    from propagation.instrumentation import instrument, uninstrument
    from propagation.propagator import RemoteFieldsPropagator
    from propagation.servers.asgi import ASGIMiddleware
    from propagation.servers.wsgi import WSGIMiddleware

__all__ = [
    "ASGIMiddleware",
    "ConfigError",
    "InvalidValueError",
    "PropagationConfig",
    "PropagationError",
    "RemoteFieldsPropagator",
    "WSGIMiddleware",
    "detached",
    "extract",
    "get",
    "inject",
    "instrument",
    "uninstrument",
    "use",
]

# A process pays for what it names: `import propagation` loads none of these, and no submodule.
load_when_named(
    __name__,
    {
        "config": ("PropagationConfig",),
        "context": ("detached", "get", "use"),
        "errors": ("ConfigError", "InvalidValueError", "PropagationError"),
        "extract": ("extract",),
        "inject": ("inject",),
        "instrumentation": ("instrument", "uninstrument"),
        "propagator": ("RemoteFieldsPropagator",),
        "servers.asgi": ("ASGIMiddleware",),
        "servers.wsgi": ("WSGIMiddleware",),
    },
)
