"""A shop in FastAPI: each order becomes a message on Kafka, with the tag of its request."""

import os
from itertools import count

import confluent_kafka
from fastapi import FastAPI

import propagation

propagation.instrument("confluent_kafka")
app = FastAPI()
app.add_middleware(propagation.ASGIMiddleware)
producer = confluent_kafka.Producer({"bootstrap.servers": os.environ.get("KAFKA", "127.0.0.1:9092")})
numbers = count(1)


@app.api_route("/orders", methods=["GET", "POST"])
def order() -> dict[str, int]:
    """Take an order; GET as well, to try it from a browser."""
    number = next(numbers)
    producer.produce("orders", str(number).encode())
    producer.flush()
    return {"order": number}
