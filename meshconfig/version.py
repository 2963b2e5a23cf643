"""Which graylane this is. The number itself stands in `propagation/__init__.py`, where the build reads it."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as of


def version() -> str:
    """The installed version; empty where graylane is not installed but run from its folder."""
    try:
        return of("graylane")
    except PackageNotFoundError:
        return ""
