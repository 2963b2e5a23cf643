"""The orders' tasks, for the shop that sends them and for the workers that handle them."""

import os

from celery import Celery

import propagation
from propagation.messaging.lanes import LaneFilter
from propagation.messaging.lanes.celery import LaneQueues

LANE = os.environ.get("LANE")  # of a worker: prod, gray; the shop has none
CONSUMERS = os.environ["GRAYLANE_CONSUMERS"]  # the file that graylane writes from the spec: who is meant to be there

propagation.instrument("celery")  # a task has the tag of the request that sent it
app = Celery("orders", broker=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"))
app.conf.update(
    task_default_queue="orders",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)
LaneQueues(app, {"orders": LaneFilter(LANE, CONSUMERS, consumer="orders")}).install()


@app.task
def handle(number: int) -> str:
    """Handle one order."""
    said = f"order {number} handled by {LANE}, env={propagation.get('env')}"
    print(said)
    return said
