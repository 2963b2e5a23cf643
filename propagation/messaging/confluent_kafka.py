"""confluent-kafka's producers carry the fields; for its consumer there is `propagation.messaging.kafka.consumed`."""

from collections.abc import Callable
from typing import Any

import confluent_kafka
from confluent_kafka import SerializingProducer

from propagation.config import PropagationConfig
from propagation.messaging.kafka import outgoing
from propagation.patching import InForce, Undo, note_replaced, patch, undo_all, with_changed
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "confluent-kafka",
    sends=Carried.INSTRUMENT,
    receives=Carried.RECIPE,
    explicit=("propagation.messaging.kafka.outgoing", "propagation.messaging.kafka.consumed"),
)
_HEADERS = 7  # where `headers` stands among the arguments of `produce`


def install(config: PropagationConfig | None) -> Undo:
    """Have `produce` of every producer that is made from now on write the fields; the answer takes it back.

    `produce_batch` and the AIOProducer take no headers (librdkafka's batches have none).
    """

    def produce(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(
            original, "headers", lambda headers: outgoing(headers, config=config), *args, **kwargs
        )

    return undo_all([_replace(config), patch(SerializingProducer, "produce", produce)])


def _replace(config: PropagationConfig | None) -> Undo:
    """Producer is written in C and takes no patch: a subclass of it takes its place in the module."""
    in_force = InForce()

    def produce(self: Any, *args: Any, **kwargs: Any) -> None:
        if in_force():
            headers = args[_HEADERS] if len(args) > _HEADERS else kwargs.get("headers")
            args, kwargs = args[:_HEADERS], {**kwargs, "headers": outgoing(headers, config=config)}
        before.produce(self, *args, **kwargs)

    def undo() -> None:
        in_force.end()
        unnote()
        if confluent_kafka.Producer is ours:
            vars(confluent_kafka)["Producer"] = before

    before = confluent_kafka.Producer
    ours = type("Producer", (before,), {"produce": produce, "__doc__": before.__doc__})
    vars(confluent_kafka)["Producer"] = ours
    unnote = note_replaced(confluent_kafka, "Producer", before)
    return undo
