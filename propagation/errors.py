"""Errors of the propagation package, in one tree."""


class PropagationError(Exception):
    """Root of every error that this package raises by itself."""


class ConfigError(PropagationError, ValueError):
    """A PropagationConfig that cannot work: an unknown name, a clash of wire names, a bad host pattern."""
