"""huey: a task runs with the fields of whoever enqueued it, and so do its retries and what follows it.

huey's messages have no headers. On the way to the worker the fields are one more keyword argument, which this module
takes out again before the task runs. So workers need `instrument("huey")` before producers have it.
"""

from collections.abc import Callable
from typing import Any

from huey.api import Huey, Task

from propagation.config import PropagationConfig
from propagation.messaging.message import KEY, consumed, with_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("huey", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)
_FIELDS = "_propagation"  # of a task in memory


def install(config: PropagationConfig | None) -> Undo:
    """Have every Huey carry the fields, as producer and as worker; the answer takes it back."""

    def enqueue(original: Callable[..., Any]) -> Callable[..., Any]:
        def enqueue_with_fields(self: Huey, task: Any) -> Any:
            if isinstance(task, Task):  # of a group or a chord, each task comes here by itself
                vars(task)[_FIELDS] = with_fields(vars(task).get(_FIELDS), config)
            return original(self, task)

        return enqueue_with_fields

    def serialize(original: Callable[..., Any]) -> Callable[..., Any]:
        def serialize_with_fields(self: Huey, task: Task) -> Any:
            fields, own = vars(task).get(_FIELDS), task.kwargs
            if fields:
                task.kwargs = {**(own or {}), KEY: fields}
            try:
                return original(self, task)
            finally:
                task.kwargs = own

        return serialize_with_fields

    def deserialize(original: Callable[..., Any]) -> Callable[..., Any]:
        def deserialize_with_fields(self: Huey, data: Any) -> Task:
            task: Task = original(self, data)
            vars(task)[_FIELDS] = task.kwargs.pop(KEY, None) if task.kwargs else None
            return task

        return deserialize_with_fields

    def execute(original: Callable[..., Any]) -> Callable[..., Any]:
        def execute_with_fields(self: Huey, task: Task, *args: Any, **kwargs: Any) -> Any:
            with consumed(vars(task).get(_FIELDS), config=config):
                return original(self, task, *args, **kwargs)

        return execute_with_fields

    return undo_all(
        [
            patch(Huey, "enqueue", enqueue),
            patch(Huey, "serialize_task", serialize),
            patch(Huey, "deserialize_task", deserialize),
            patch(Huey, "execute", execute),
        ]
    )
