"""Wrap a library's method in place, and take it back whatever was wrapped around it since."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

Undo = Callable[[], None]


def patch(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Undo:
    """Replace `owner.name` (of a class or a module) by what `make` makes of it; the answer takes it back.

    Where another instrumentation has wrapped ours meanwhile, ours stays in the chain and only calls on.
    """
    original = getattr(owner, name)
    inherited = name not in vars(owner)
    current = make(original)

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        return current(*args, **kwargs)

    def undo() -> None:
        nonlocal current
        current = original
        if vars(owner).get(name) is method:
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    setattr(owner, name, method)
    return undo


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
