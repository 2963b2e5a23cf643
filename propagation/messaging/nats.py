"""nats-py: what is published or requested has the fields as headers; a subscription's callback runs with its message's.

Messages that the program fetches (`next_msg`, `fetch`, `async for` over a subscription) take
`propagation.messaging.consumed(message)`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from nats.aio.client import Client

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import InForce, Undo, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "nats-py",
    sends=Carried.INSTRUMENT,
    receives=Carried.INSTRUMENT,
    explicit=("propagation.inject", "propagation.messaging.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have every client write the fields, and every callback that is registered from now on run with them.

    The answer takes it back, also for those callbacks.
    """
    in_force = InForce()

    def written(headers: dict[str, Any] | None) -> dict[str, Any] | None:
        return with_fields(headers, config) or headers

    def publish(original: Callable[..., Any]) -> Callable[..., Any]:
        def publish_with_fields(self: Client, subject: str, *args: Any, **kwargs: Any) -> Any:
            if subject.startswith("$"):  # the server's own, such as JetStream's API and its key-value store
                return original(self, subject, *args, **kwargs)
            return with_changed(original, "headers", written, self, subject, *args, **kwargs)

        return publish_with_fields

    def subscribe(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(original, "cb", carrying, *args, **kwargs)

    def carrying(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
        if callback is None:
            return None

        @wraps(callback)
        async def run(message: Any) -> Any:
            if not in_force():
                return await callback(message)
            with consumed(message, config=config):
                return await callback(message)

        return run

    return undo_all([in_force.end, patch(Client, "publish", publish), patch(Client, "subscribe", subscribe)])
