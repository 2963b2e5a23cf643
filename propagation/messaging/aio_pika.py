"""aio-pika: what an exchange publishes has the fields as headers; a consumer's callback, and the block of
`async with message.process()`, run with those of their message.

Messages of a queue's iterator that the program does not `process()` take `propagation.messaging.consumed(message)`.
"""

import copy
from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import Any

from aio_pika import Exchange, Queue
from aio_pika.message import ProcessContext

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import InForce, Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "aio-pika",
    sends=Carried.INSTRUMENT,
    receives=Carried.INSTRUMENT,
    explicit=("propagation.inject", "propagation.messaging.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have every exchange write the fields, and the work on each message run with them.

    Callbacks are those that are registered from now on. The answer takes it back, also for these.
    """
    in_force = InForce()

    def publish(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(
            original, "message", lambda message: _with_fields(message, config), *args, **kwargs
        )

    def consume(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(original, "callback", carrying, *args, **kwargs)

    def carrying(callback: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(callback)
        async def run(message: Any) -> Any:
            if not in_force():
                return await _called(callback, message)
            with consumed(message, config=config):
                return await _called(callback, message)

        return run

    def enter(original: Callable[..., Any]) -> Callable[..., Any]:
        async def enter_with_fields(self: Any) -> Any:
            message = await original(self)
            block = consumed(self.message, config=config)
            block.__enter__()
            vars(self)["_propagation"] = block
            return message

        return enter_with_fields

    def leave(original: Callable[..., Any]) -> Callable[..., Any]:
        async def leave_with_fields(self: Any, *error: Any) -> Any:
            try:
                return await original(self, *error)
            finally:
                if block := vars(self).pop("_propagation", None):
                    block.__exit__(None, None, None)

        return leave_with_fields

    return undo_all(
        [
            in_force.end,
            patch(Exchange, "publish", publish),
            patch(Queue, "consume", consume),
            patch(ProcessContext, "__aexit__", leave),
            patch(ProcessContext, "__aenter__", enter),
        ]
    )


async def _called(callback: Callable[..., Any], message: Any) -> Any:
    answer = callback(message)
    return await answer if isawaitable(answer) else answer


def _with_fields(message: Any, config: PropagationConfig | None) -> Any:
    sent = copy.copy(message)
    sent.headers = with_fields(message.headers, config)
    return sent
