"""What is called when a Future is done, in the context of whoever asked for it."""

import concurrent.futures
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from propagation.patching import Undo, patch

T = TypeVar("T")


class Future(concurrent.futures.Future[T]):
    """As that of concurrent.futures; a callback runs in a copy of the context in which it was added."""

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[T]], object]) -> None:
        """As Future.add_done_callback."""
        super().add_done_callback(bound(fn))


def bound(function: Callable[..., T]) -> Callable[..., T]:
    """`function` in the context of now. Each call has a copy of its own, since several may run at once."""
    context = copy_context()
    return lambda *args, **kwargs: context.copy().run(function, *args, **kwargs)


def install() -> Undo:
    """Have every Future of concurrent.futures do as that above; the answer takes it back."""

    def add(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, fn: original(self, bound(fn))

    return patch(concurrent.futures.Future, "add_done_callback", add)
