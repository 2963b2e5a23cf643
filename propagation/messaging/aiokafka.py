"""aiokafka's producer carries the fields; for its consumer there is `propagation.messaging.kafka.consumed`."""

from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer

from propagation.config import PropagationConfig
from propagation.messaging.kafka import outgoing
from propagation.patching import Undo, patch, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "aiokafka",
    sends=Carried.INSTRUMENT,
    receives=Carried.RECIPE,
    explicit=("propagation.messaging.kafka.outgoing", "propagation.messaging.kafka.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have `send` of every producer write the fields; the answer takes it back."""

    def send(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(
            original, "headers", lambda headers: outgoing(headers, config=config), *args, **kwargs
        )

    return patch(AIOKafkaProducer, "send", send)
