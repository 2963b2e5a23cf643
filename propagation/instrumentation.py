"""Carry the fields in every client library that is installed; nothing is loaded before it is asked for."""

import logging
from threading import Lock

from propagation.config import PropagationConfig, default_config
from propagation.errors import ConfigError, nearest
from propagation.patching import Undo
from propagation.registry import REGISTRY, is_installed, module_of

_active: dict[str, tuple[PropagationConfig | None, Undo]] = {}
_lock = Lock()
_logger = logging.getLogger(__name__)


def instrument(*names: str, config: PropagationConfig | None = None) -> tuple[str, ...]:
    """Have these libraries carry the fields; without names, every client library that is installed. Gives their names.

    Without names, a library of a version that this package does not know how to carry is left alone, with a warning.
    config: default, that of the request at hand, else that of the environment. Calling it again changes nothing, except
    that a new `config` takes the old one's place. Raises ConfigError for a library that is unknown or not installed,
    and for an environment that makes no config.
    """
    chosen = names or tuple(name for name in REGISTRY if REGISTRY[name].default and is_installed(name))
    for name in names:
        _check(name)
    if config is None:
        default_config()  # what is wrong with it is said here, and not by every call that the clients make
    with _lock:
        if not names:
            return tuple(name for name in chosen if _could_install(name, config))
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
        # The last first: two libraries may have wrapped one method, of a third that both are built on.
        for name in names or tuple(reversed(_active)):
            if name in _active:
                _active.pop(name)[1]()


def is_instrumented(name: str) -> bool:
    """Whether `instrument` is in force for this entry of the registry."""
    return name in _active


def _install(name: str, config: PropagationConfig | None) -> None:
    if name in _active:
        if config is None or config == _active[name][0]:
            return
        _active.pop(name)[1]()
    _active[name] = config, module_of(name).install(config)


def _could_install(name: str, config: PropagationConfig | None) -> bool:
    try:
        _install(name, config)
    except Exception as error:  # noqa: BLE001  # what is installed and perhaps never used must not stop a service
        _logger.warning("instrument: %s is left alone, as it cannot be carried: %r", REGISTRY[name].package, error)
        return False
    return True


def _check_known(caller: str, name: str) -> None:
    if name not in REGISTRY:
        near = nearest(name, REGISTRY)
        hint = f"did you mean {near!r}?" if near else f"known are {', '.join(REGISTRY)}"
        raise ConfigError(f"{caller}: {name!r} is not known; {hint}")


def _check(name: str) -> None:
    _check_known("instrument", name)
    if not is_installed(name):
        raise ConfigError(f"instrument: {REGISTRY[name].package} is not installed")
