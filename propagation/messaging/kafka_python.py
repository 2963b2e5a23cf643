"""kafka-python's producer carries the fields; for its consumer there is `propagation.messaging.consumed`."""

from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer

from propagation.config import PropagationConfig
from propagation.messaging.kafka import outgoing
from propagation.patching import Undo, patch, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "kafka-python",
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

    return patch(KafkaProducer, "send", send)
