"""aiokafka's producer carries the fields; for its consumer there is `propagation.messaging.kafka.consumed`."""

from aiokafka import AIOKafkaProducer

from propagation.config import PropagationConfig
from propagation.messaging.kafka import sending
from propagation.patching import Undo, patch
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "aiokafka",
    sends=Carried.INSTRUMENT,
    receives=Carried.RECIPE,
    explicit=("propagation.messaging.kafka.outgoing", "propagation.messaging.kafka.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have `send` of every producer write the fields; the answer takes it back."""
    return patch(AIOKafkaProducer, "send", sending(config))
