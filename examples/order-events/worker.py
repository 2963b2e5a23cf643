"""A worker that handles orders: the same program in every lane, which LANE names."""

import os
import signal

import propagation
from propagation.messaging import consumed
from propagation.messaging.lanes import LaneFilter
from propagation.messaging.lanes.confluent_kafka import LaneConsumer

lanes = LaneFilter(os.environ.get("LANE"), os.environ["GRAYLANE_CONSUMERS"], consumer="orders")
config = {
    "bootstrap.servers": os.environ.get("KAFKA", "127.0.0.1:9092"),
    "group.id": "orders",
    "auto.offset.reset": "earliest",
}
running = True


def stop(*_: object) -> None:
    """End in order: what is handled is committed."""
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
with LaneConsumer(config, lanes) as consumer:
    consumer.subscribe(["orders"])
    while running:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            with consumed(message):
                print(
                    f"order {message.value().decode()} handled by {lanes.lane}, env={propagation.get('env')}",
                    flush=True,
                )
