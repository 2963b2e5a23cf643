"""Submodules that are loaded when they are first named, so that a package costs no import of what is not used."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


def submodules(package: str) -> Callable[[str], ModuleType]:
    """A module-level `__getattr__` for `package`: an attribute that it has not is its submodule of that name."""

    def load(name: str) -> ModuleType:
        path = f"{package}.{name}"
        if not name.startswith("_"):
            try:
                return import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise  # ours is there, the library that it is for is not
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
