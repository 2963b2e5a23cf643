"""arq: a job runs with the fields of whoever enqueued it, retries included.

They are one more entry of what arq stores for a job, which a worker that is not instrumented ignores.
"""

import pickle
from collections.abc import Callable
from typing import Any

import arq.connections
import arq.worker
from opentelemetry.context import attach

from propagation.config import PropagationConfig
from propagation.messaging.message import KEY, context_of, with_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("arq", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)


def install(config: PropagationConfig | None) -> Undo:
    """Have every pool write the fields, and every worker run jobs with them; the answer takes it back."""

    def serialize(original: Callable[..., Any]) -> Callable[..., Any]:
        def serialize_with_fields(*args: Any, serializer: Callable[[Any], bytes] | None = None) -> Any:
            fields = with_fields(None, config)
            dump = serializer or pickle.dumps
            return original(*args, serializer=lambda job: dump({**job, KEY: fields} if fields else job))

        return serialize_with_fields

    def deserialize(original: Callable[..., Any]) -> Callable[..., Any]:
        def deserialize_with_fields(data: bytes, *, deserializer: Callable[[bytes], Any] | None = None) -> Any:
            jobs: list[Any] = []

            def load(data: bytes) -> Any:
                jobs.append((deserializer or pickle.loads)(data))
                return jobs[0]

            read = original(data, deserializer=load)
            attach(context_of(jobs[0].get(KEY), config))  # until the end: a worker runs each job as a task of its own
            return read

        return deserialize_with_fields

    return undo_all(
        [patch(arq.connections, "serialize_job", serialize), patch(arq.worker, "deserialize_job_raw", deserialize)]
    )
