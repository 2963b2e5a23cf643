"""The context of a request, for servers that do the work on it in steps."""

from types import TracebackType
from typing import Self

from opentelemetry.context import Context, attach, get_current

from propagation.attachment import AROUND, Blocks, current
from propagation.context import READING, trail_of


class Work:
    """The work on one request, done in steps: each runs in the request's context, and leaves nothing behind.

    A server's thread serves others between the steps. What code attached in one step and did not detach, a span or a
    block of `use`, is there again in the next, and gone after it. Enter it for each step, one at a time.
    """

    __slots__ = ("_around", "_before", "_read_before", "_token", "_trail", "context")

    def __init__(self, context: Context) -> None:
        self.context = context
        self._around: Blocks = ()
        self._trail = trail_of(context)

    def __enter__(self) -> Self:
        self._before = current()
        self._token = AROUND.set(self._around)
        if self._trail is not None:
            self._read_before = READING.set(self._trail)
        attach(self.context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.context, self._around = get_current(), AROUND.get()
        try:
            AROUND.reset(self._token)
        except ValueError:
            return  # a task that is closed from outside, by one whose context is none of this work's
        if self._trail is not None:
            READING.reset(self._read_before)
        attach(self._before)
