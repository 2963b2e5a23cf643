"""pika: what is published has the fields as headers, and a consumer's callback runs with those of its message.

Messages that the program fetches (`basic_get`, BlockingChannel's `consume`) take
`propagation.messaging.consumed(properties)`.
"""

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import InForce, Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "pika",
    sends=Carried.INSTRUMENT,
    receives=Carried.INSTRUMENT,
    explicit=("propagation.inject", "propagation.messaging.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have every channel write the fields, and every callback that is registered from now on run with them.

    The answer takes it back, also for those callbacks.
    """
    in_force = InForce()

    def publish(original: Callable[..., Any]) -> Callable[..., Any]:
        # A BlockingChannel publishes by a Channel too.
        return lambda *args, **kwargs: with_changed(
            original, "properties", lambda properties: _with_fields(properties, config), *args, **kwargs
        )

    def consume(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(original, "on_message_callback", carrying, *args, **kwargs)

    def carrying(callback: Callable[..., Any]) -> Callable[..., Any]:
        # pika's own, which only queues the message for the callback of the program.
        if (getattr(callback, "__module__", None) or "").startswith("pika."):
            return callback

        @wraps(callback)
        def run(channel: Any, method: Any, properties: BasicProperties, body: bytes) -> Any:
            if not in_force():
                return callback(channel, method, properties, body)
            with consumed(properties, config=config):
                return callback(channel, method, properties, body)

        return run

    return undo_all(
        [in_force.end, patch(Channel, "basic_publish", publish)]
        + [patch(owner, "basic_consume", consume) for owner in (Channel, BlockingChannel)]
    )


def _with_fields(properties: BasicProperties | None, config: PropagationConfig | None) -> BasicProperties:
    sent = BasicProperties() if properties is None else copy.copy(properties)
    sent.headers = with_fields(sent.headers, config) or None
    return sent
