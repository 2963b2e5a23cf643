"""Carry the fields in every client library that is installed: a registry, and nothing loaded before it is asked for."""

from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import NamedTuple

from propagation.config import PropagationConfig, default_config
from propagation.errors import ConfigError
from propagation.patching import Undo


class Instrumentation(NamedTuple):
    """How one library is instrumented.

    library: the module that must be there. module: ours, with `install(config) -> undo`. asked: whether `instrument()`
    leaves it alone, so that it must be asked for by name.
    """

    library: str
    module: str
    asked: bool = False


REGISTRY = {
    "httpx": Instrumentation("httpx", "propagation.clients.httpx"),
    "httpx2": Instrumentation("httpx2", "propagation.clients.httpx2"),
    "requests": Instrumentation("requests", "propagation.clients.requests"),
    "urllib3": Instrumentation("urllib3", "propagation.clients.urllib3"),
    "aiohttp": Instrumentation("aiohttp", "propagation.clients.aiohttp"),
    "grpc": Instrumentation("grpc", "propagation.clients.grpc"),
    "celery": Instrumentation("celery", "propagation.messaging.celery"),
    "confluent_kafka": Instrumentation("confluent_kafka", "propagation.messaging.confluent_kafka"),
    "aiokafka": Instrumentation("aiokafka", "propagation.messaging.aiokafka"),
    "grpc_server": Instrumentation("grpc", "propagation.servers.grpc", asked=True),
    "threading": Instrumentation("threading", "propagation.executors", asked=True),
    "logging": Instrumentation("logging", "propagation.logs", asked=True),
}
_active: dict[str, tuple[PropagationConfig | None, Undo]] = {}
_lock = Lock()


def instrument(*names: str, config: PropagationConfig | None = None) -> tuple[str, ...]:
    """Have these libraries carry the fields; without names, every client library that is installed. Gives their names.

    config: default, that of the request at hand, else that of the environment. Calling it again changes nothing, except
    that a new `config` takes the old one's place. Raises ConfigError for a library that is unknown or not installed,
    and for an environment that makes no config.
    """
    chosen = names or tuple(name for name in REGISTRY if is_installed(name) and not REGISTRY[name].asked)
    for name in names:
        _check(name)
    if config is None:
        default_config()  # what is wrong with it is said here, and not by every call that the clients make
    with _lock:
        for name in chosen:
            _install(name, config)
    return chosen


def uninstrument(*names: str) -> None:
    """Take `instrument` back, for these libraries or for all. What is not instrumented is left alone.

    Raises ConfigError for a library that is unknown.
    """
    for name in names:
        _check_known("uninstrument", name)
    with _lock:
        for name in names or tuple(_active):
            if name in _active:
                _active.pop(name)[1]()


def is_installed(name: str) -> bool:
    """Whether the library of this entry of the registry can be imported; it is not."""
    return find_spec(REGISTRY[name].library) is not None


def is_instrumented(name: str) -> bool:
    """Whether `instrument` is in force for this entry of the registry."""
    return name in _active


def _install(name: str, config: PropagationConfig | None) -> None:
    if name in _active:
        if config is None or config == _active[name][0]:
            return
        _active.pop(name)[1]()
    _active[name] = config, import_module(REGISTRY[name].module).install(config)


def _check_known(caller: str, name: str) -> None:
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(REGISTRY)}"
        raise ConfigError(f"{caller}: {name!r} is not known; {hint}")


def _check(name: str) -> None:
    _check_known("instrument", name)
    if not is_installed(name):
        raise ConfigError(f"instrument: {REGISTRY[name].library} is not installed")
