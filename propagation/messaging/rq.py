"""rq: a job runs with the fields of whoever enqueued it. The job's `meta` keeps them, so that retries have them too."""

from collections.abc import Callable
from typing import Any

from rq import Queue, Worker
from rq.job import Job

from propagation.config import PropagationConfig
from propagation.messaging.message import KEY, consumed, with_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("rq", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)


def install(config: PropagationConfig | None) -> Undo:
    """Have every queue write the fields, and every worker run jobs and their callbacks with them.

    The answer takes it back.
    """

    def create(original: Callable[..., Any]) -> Callable[..., Any]:
        def create_with_fields(*args: Any, **kwargs: Any) -> Job:
            job: Job = original(*args, **kwargs)
            _write(job, config)
            return job

        return create_with_fields

    def enqueue(original: Callable[..., Any]) -> Callable[..., Any]:
        def enqueue_with_fields(self: Queue, job: Job, *args: Any, **kwargs: Any) -> Any:
            _write(job, config)
            return original(self, job, *args, **kwargs)

        return enqueue_with_fields

    def perform(original: Callable[..., Any]) -> Callable[..., Any]:
        def perform_with_fields(self: Job) -> Any:
            with consumed(self.meta.get(KEY), config=config):
                return original(self)

        return perform_with_fields

    def work(original: Callable[..., Any]) -> Callable[..., Any]:
        # Around `perform` too, so that a job's callbacks have the fields.
        def work_with_fields(self: Any, job: Job, *args: Any, **kwargs: Any) -> Any:
            with consumed(job.meta.get(KEY), config=config):
                return original(self, job, *args, **kwargs)

        return work_with_fields

    # Since rq 2 other workers than Worker exist beside it, and share this with it.
    workers = next(owner for owner in Worker.__mro__ if "perform_job" in vars(owner))
    return undo_all(
        [
            patch(Queue, "create_job", create),
            patch(Queue, "enqueue_job", enqueue),
            patch(Job, "perform", perform),
            patch(workers, "perform_job", work),
        ]
    )


def _write(job: Job, config: PropagationConfig | None) -> None:
    """Into a `meta` of the job's own: the program may give one to many jobs."""
    if fields := with_fields(job.meta.get(KEY), config):
        job.meta = {**job.meta, KEY: fields}
