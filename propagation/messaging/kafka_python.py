"""kafka-python's producer carries the fields; for its consumer there is `propagation.messaging.consumed`."""

from kafka import KafkaProducer

from propagation.config import PropagationConfig
from propagation.messaging.kafka import sending
from propagation.patching import Undo, patch
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "kafka-python",
    sends=Carried.INSTRUMENT,
    receives=Carried.RECIPE,
    explicit=("propagation.messaging.kafka.outgoing", "propagation.messaging.kafka.consumed"),
)


def install(config: PropagationConfig | None) -> Undo:
    """Have `send` of every producer write the fields; the answer takes it back."""
    return patch(KafkaProducer, "send", sending(config))
