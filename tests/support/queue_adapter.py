"""What the adapters of queues share, for the suite in tests/conformance: task_queues.py and message_brokers.py.

An adapter is entered for the time of a test. `send(kind)` enqueues the job of queue_jobs that is called so, in the
current context: "note"; "flaky", which is tried again; "failing", which is not; "sending", which sends a "note".
`drain()` has a worker do all that is queued; `left` is what its context held after that. kinds: those jobs that it has.
at_once: whether a job runs when it is sent, without a worker.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any

import queue_jobs

ALL = ("note", "flaky", "failing", "sending")


def in_a_thread(work):
    """Run `work` in a thread of its own, which has an empty context; gives what is left in it."""
    left = []

    def run():
        work()
        left.append(queue_jobs.left())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return left[0]


class Adapter:
    """What most need: things to close, and a worker in a thread."""

    kinds: Sequence[str] = ALL
    at_once = False
    start: Any
    work: Any

    def __enter__(self):
        queue_jobs.SEEN.clear()
        self.stack = ExitStack()
        self.start()
        return self

    def __exit__(self, *error):
        self.stack.close()

    def drain(self):
        self.left = in_a_thread(self.work)


class OnALoop(Adapter):
    """For asyncio's: one loop, where each step runs in a copy of the context of its caller."""

    sent: Any

    def __enter__(self):
        queue_jobs.SEEN.clear()
        self.runner = asyncio.Runner()
        self.run(self.start())
        return self

    def __exit__(self, *error):
        self.run(self.stop())
        self.runner.close()

    def run(self, coroutine):
        return self.runner.run(coroutine, context=copy_context())

    async def stop(self):
        pass

    def send(self, kind):
        self.run(self.sent(kind))

    def drain(self):
        async def work():
            await self.work()
            return queue_jobs.left()

        self.left = self.run(work())
