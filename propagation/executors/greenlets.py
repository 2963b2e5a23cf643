"""gevent's greenlets, which begin with an empty context unless they are given one."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import gevent
import gevent.pool
import gevent.threadpool

from propagation.executors.futures import bound
from propagation.patching import Undo, patch, undo_all

_Greenlet: type[Any] = gevent.Greenlet


class _Kind(type):
    """gevent itself goes on to make greenlets of its own class: those are instances of this one as well."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Greenlet) if cls is Greenlet else super().__instancecheck__(instance)


class Greenlet(_Greenlet, metaclass=_Kind):  # type: ignore[misc]  # gevent has no types for the class of a variable
    """As gevent's, with a copy of the context in which it was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gr_context = copy_context()


def install() -> Undo:
    """Have every greenlet that is spawned from now on do so, and gevent's threads; the answer takes it back.

    Left alone are the greenlets that gevent starts for its own ends: those of its servers, and of patched threads.
    """

    def in_context(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, func, *args, **kwargs: original(self, bound(func), *args, **kwargs)

    return undo_all(
        [
            _replace(gevent, "Greenlet", Greenlet),
            _replace(gevent, "spawn", Greenlet.spawn),
            _replace(gevent, "spawn_later", Greenlet.spawn_later),
            _replace(gevent.pool, "Greenlet", Greenlet),
            _replace(gevent.pool.Group, "greenlet_class", Greenlet),
            patch(gevent.pool.GroupMappingMixin, "imap", in_context),
            patch(gevent.pool.GroupMappingMixin, "imap_unordered", in_context),
            patch(gevent.threadpool.ThreadPool, "spawn", in_context),
        ]
    )


def _replace(owner: Any, name: str, value: Any) -> Undo:
    before = getattr(owner, name)

    def undo() -> None:
        if getattr(owner, name) == value:
            setattr(owner, name, before)

    setattr(owner, name, value)
    return undo
