"""Wrap a library's method in place, and take it back whatever was wrapped around it since."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any, NamedTuple

Undo = Callable[[], None]


class Replaced(NamedTuple):
    """A name of a module that leads to something of ours; who imported it earlier still has `original`."""

    module: str
    name: str
    original: Any


_replaced: list[Replaced] = []


def replaced() -> list[Replaced]:
    """The names of modules that are replaced now."""
    return list(_replaced)


def note_replaced(module: ModuleType, name: str, original: Any) -> Undo:
    """Say that `module.name` was replaced; the answer says that it is no longer."""
    entry = Replaced(module.__name__, name, original)
    _replaced.append(entry)
    return lambda: _replaced.remove(entry)


def patch(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Undo:
    """Replace `owner.name` (of a class or a module) by what `make` makes of it; the answer takes it back.

    Where another instrumentation has wrapped ours meanwhile, ours stays in the chain and only calls on.
    """
    original = getattr(owner, name)
    inherited = name not in vars(owner)
    current = make(original)
    unnote = note_replaced(owner, name, original) if isinstance(owner, ModuleType) else None

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        return current(*args, **kwargs)

    def undo() -> None:
        nonlocal current, unnote
        current = original
        if unnote is not None:
            unnote = unnote()
        if vars(owner).get(name) is method:
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    setattr(owner, name, method)
    return undo


class InForce:
    """Whether an instrumentation is in force; asked by what it gave the library to keep, which no undo finds again."""

    def __init__(self) -> None:
        self._is = True

    def __call__(self) -> bool:
        return self._is

    def end(self) -> None:
        """It was taken back."""
        self._is = False


def patch_made(owner: type, set_up: Callable[[Any, InForce], None]) -> Undo:
    """Have `set_up` prepare every object of `owner` that is made from now on; the answer takes it back.

    `set_up` is given the object, once it is made, and an InForce, which ends with the patch.
    """
    in_force = InForce()

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def make_and_set_up(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            set_up(self, in_force)

        return make_and_set_up

    return undo_all([in_force.end, patch(owner, "__init__", make)])


def undo_all(undos: list[Undo]) -> Undo:
    """Several patches taken back as one, the last first."""

    def undo() -> None:
        for one in reversed(undos):
            one()

    return undo


def with_changed(
    function: Callable[..., Any], name: str, change: Callable[[Any], Any], *args: Any, **kwargs: Any
) -> Any:
    """Call `function` with its argument `name`, None where it is not given, replaced by what `change` makes of it."""
    call = signature(function).bind(*args, **kwargs)
    call.arguments[name] = change(call.arguments.get(name))
    return function(*call.args, **call.kwargs)
