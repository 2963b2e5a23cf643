"""APScheduler 3: jobs start untagged, whoever added one last.

A request that adds a job wakes the scheduler, whose timer then runs in the context of that request for good: every job,
also those of others, would have its tag.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from propagation.config import PropagationConfig
from propagation.context import detached
from propagation.patching import Undo, patch
from propagation.registry import Descriptor

DESCRIPTOR = Descriptor("APScheduler")


def install(config: PropagationConfig | None) -> Undo:
    """Have every scheduler start its jobs detached; the answer takes it back. `config` says nothing here."""
    if find_spec("apscheduler.schedulers") is None:
        return lambda: None  # APScheduler 4, which runs its jobs in tasks of the scheduler's own
    from apscheduler.schedulers.base import BaseScheduler

    def process(original: Callable[..., Any]) -> Callable[..., Any]:
        def process_detached(self: Any) -> Any:
            with detached():
                return original(self)

        return process_detached

    return patch(BaseScheduler, "_process_jobs", process)
