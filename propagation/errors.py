"""Errors of the propagation package, in one tree.

PropagationError
├── ConfigError          a configuration that cannot work
└── InvalidValueError    a value that no header can carry
"""


class PropagationError(Exception):
    """Root of every error that this package raises by itself."""


class ConfigError(PropagationError, ValueError):
    """A PropagationConfig that cannot work: an unknown name, a clash of wire names, a bad host pattern."""


class InvalidValueError(PropagationError, ValueError):
    """A value given to `use` that the field does not take: its grammar or its list of allowed values says no."""
