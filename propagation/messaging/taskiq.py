"""taskiq: a task runs with the fields of whoever kicked it, retries included; they are labels of its message."""

import copy
from collections.abc import Callable
from typing import Any

from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("taskiq", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)


def install(config: PropagationConfig | None) -> Undo:
    """Have every kicker write the fields, and every receiver run tasks with them; the answer takes it back.

    A task that is scheduled once (`schedule_by_time`) has the fields too; one that recurs (`schedule_by_cron`,
    `schedule_by_interval`) outlives its request, and has none.
    """

    def kick(original: Callable[..., Any]) -> Callable[..., Any]:
        async def kick_with_fields(self: Any, *args: Any, **kwargs: Any) -> Any:
            sent = copy.copy(self)  # the program may kick by the same one again
            sent.labels = with_fields(self.labels, config)
            return await original(sent, *args, **kwargs)

        return kick_with_fields

    def receive(original: Callable[..., Any]) -> Callable[..., Any]:
        async def receive_with_fields(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
            with consumed(_labels(self, message), config=config):
                return await original(self, message, *args, **kwargs)

        return receive_with_fields

    once = ("kiq", "schedule_by_time")
    return undo_all([patch(AsyncKicker, name, kick) for name in once] + [patch(Receiver, "callback", receive)])


def _labels(receiver: Any, message: Any) -> dict[str, Any] | None:
    """The labels, read before the receiver does, so that all of the broker's middleware runs with the fields too."""
    try:
        labels: dict[str, Any] = receiver.broker.formatter.loads(message=getattr(message, "data", message)).labels
    except Exception:  # noqa: BLE001  # the receiver reads it again, and reports what is wrong with it
        return None
    return labels
