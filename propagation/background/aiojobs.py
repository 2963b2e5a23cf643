"""aiojobs: a job runs as the request that spawned it, also one that had to wait.

A scheduler with a limit starts a job that waited when another ends, in the context of that one.
"""

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any
from weakref import WeakKeyDictionary

from aiojobs._job import Job

from propagation.config import PropagationConfig
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Descriptor

DESCRIPTOR = Descriptor("aiojobs")


def install(config: PropagationConfig | None) -> Undo:
    """Have each job run in the context that spawned it; the answer takes it back. `config` says nothing here."""
    spawned: WeakKeyDictionary[Any, Context] = WeakKeyDictionary()

    def init(original: Callable[..., Any]) -> Callable[..., Any]:
        def init_in_context(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            spawned[self] = copy_context()

        return init_in_context

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        def start_in_context(self: Any) -> None:
            context = spawned.pop(self, None)
            if context is None:
                original(self)
            else:
                context.run(original, self)

        return start_in_context

    return undo_all([patch(Job, "__init__", init), patch(Job, "_start", start)])
