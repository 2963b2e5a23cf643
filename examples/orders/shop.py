"""A shop in FastAPI: each order becomes a task."""

from itertools import count

from fastapi import FastAPI
from orders import handle

import propagation

app = FastAPI()
app.add_middleware(propagation.ASGIMiddleware)
numbers = count(1)


@app.api_route("/orders", methods=["GET", "POST"])
def order() -> dict[str, int]:
    """Take an order; GET as well, to try it from a browser."""
    number = next(numbers)
    handle.delay(number)
    return {"order": number}
