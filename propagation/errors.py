"""Errors of the propagation package, in one tree.

PropagationError
├── ConfigError          a configuration that cannot work
└── InvalidValueError    a value that no header can carry
"""

from collections.abc import Iterable


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that `given` is most likely meant to be, for a message; None where none is near."""
    from difflib import get_close_matches  # only what goes wrong needs it

    return next(iter(get_close_matches(given, list(known), n=1, cutoff=cutoff)), None)


class PropagationError(Exception):
    """Root of every error that this package raises by itself."""


class ConfigError(PropagationError, ValueError):
    """A PropagationConfig that cannot work: an unknown name, a clash of wire names, a bad host pattern."""


class InvalidValueError(PropagationError, ValueError):
    """A value given to `use` that the field does not take: its grammar or its list of allowed values says no."""
