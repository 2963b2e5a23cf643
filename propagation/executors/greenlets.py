"""gevent's greenlets, which begin with an empty context unless they are given one.

gevent asks its spawn callbacks about each greenlet, whoever imported its functions and classes before and whatever
class it is of; those that are written in C take no patch.
"""

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import Any

import gevent
import gevent.threadpool

from propagation.executors.futures import bound
from propagation.patching import Undo, patch, undo_all


def install() -> Undo:
    """Have every greenlet that is spawned from now on begin with its spawner's context, and gevent's threads.

    The answer takes it back. Left alone are the greenlets that gevent starts for its own ends: those of its servers,
    which it spawns where no request is, and of patched threads, whose `start` says which of them carry.
    """

    def in_context(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, func, *args, **kwargs: original(self, bound(func), *args, **kwargs)

    gevent.Greenlet.add_spawn_callback(_begin)
    return undo_all(
        [
            lambda: gevent.Greenlet.remove_spawn_callback(_begin),
            patch(gevent.threadpool.ThreadPool, "spawn", in_context),
        ]
    )


def _begin(greenlet: Any) -> None:
    if greenlet.gr_context is None and not _is_threads(greenlet._run):
        greenlet.gr_context = copy_context()


def _is_threads(run: Any) -> bool:
    return isinstance(getattr(run, "__self__", None), Thread) and run.__name__ == "_bootstrap"
