"""Names and submodules that are loaded when they are first named: a package costs no import of what is not used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def load_when_named(package: str, names: Mapping[str, tuple[str, ...]]) -> None:
    """Give `package` the public names of its modules, and all of its submodules, without loading any of them.

    names: by module, relative to the package. Where a name is also that of a submodule, the package has the name.
    """
    homes = {name: f"{package}.{module}" for module, listed in names.items() for name in listed}
    submodule = submodules(package)

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in homes:
                return submodule(name)
            value = getattr(import_module(homes[name]), name)
            super().__setattr__(name, value)
            return value

        def __setattr__(self, name: str, value: object) -> None:
            # The import of a submodule sets it as its package's attribute, over a function of the same name.
            if name not in homes or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *homes})

    sys.modules[package].__class__ = Package


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
