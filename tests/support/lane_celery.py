"""The Celery app of the conformance suite of messages by lane, the same for its producer and its workers."""

import json

import lane_worker
from celery import Celery
from celery.exceptions import Reject
from kombu import Queue

from propagation.messaging.lanes.celery import LaneQueues


def make_app(settings):
    """It acknowledges late, and has one queue, whose dead letters go to another.

    As in a service, `instrument("celery")` carries the tag.
    """
    app = Celery("orders", broker=settings.url, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(settings.queue, routing_key=settings.queue, queue_arguments=settings.arguments)],
        task_default_queue=settings.queue,
        broker_transport_options={"confirm_publish": True},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry_policy={"max_retries": None, "interval_start": 0.1, "interval_max": 0.2},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
    )
    LaneQueues(app, {settings.queue: settings.lanes}).install()

    @app.task(name="handle", bind=True, max_retries=3)
    def handle(self, body):
        # A retry of Celery's is another message: the first try has failed where this is not the first one.
        again = self.request.retries > 0
        answer = lane_worker.handle(settings, json.dumps(body), again or self.request.delivery_info["redelivered"])
        if answer == "reject":
            raise Reject("as the message says", requeue=False)
        if answer == "retry":
            raise self.retry(countdown=0)

    return app
