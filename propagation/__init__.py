"""Carry a lane's tag from the request that came in to every call that goes out."""

from propagation.config import PropagationConfig
from propagation.context import detached, get, use
from propagation.errors import ConfigError, InvalidValueError, PropagationError
from propagation.extract import extract
from propagation.inject import inject
from propagation.instrumentation import instrument, uninstrument
from propagation.lazy import submodules
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

# `propagation.clients`, `propagation.testing` and the rest are loaded when they are first named.
__getattr__ = submodules(__name__)
