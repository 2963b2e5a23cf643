"""kombu: what a Producer publishes has the fields as headers, and a Consumer's callbacks run with those of the message.

`on_message` in place of callbacks, and messages that the program fetches (SimpleQueue), take
`propagation.messaging.consumed`.
"""

from collections.abc import Callable
from typing import Any

from kombu.messaging import Consumer, Producer

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "kombu",
    sends=Carried.INSTRUMENT,
    receives=Carried.INSTRUMENT,
    explicit=("propagation.inject", "propagation.messaging.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have every Producer write the fields and every Consumer read them; the answer takes it back."""

    def publish(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(
            original, "headers", lambda headers: with_fields(headers, config), *args, **kwargs
        )

    def receive(original: Callable[..., Any]) -> Callable[..., Any]:
        def receive_with_fields(self: Consumer, body: Any, message: Any) -> Any:
            with consumed(message, config=config):
                return original(self, body, message)

        return receive_with_fields

    return undo_all([patch(Producer, "publish", publish), patch(Consumer, "receive", receive)])
