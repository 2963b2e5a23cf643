"""Which queue a task of Celery goes to, and which a worker consumes from, on a broker in memory."""

from types import SimpleNamespace

import pytest
from celery import Celery, signals
from kombu import Exchange, Queue

from propagation import use
from propagation.messaging.lanes import LaneFilter, Roster
from propagation.messaging.lanes.celery import LaneQueues

ROSTER = Roster(
    "orders", "rabbitmq", "celery", "prod", {"prod": "celery", "gray": "celery.gray", "blue": "celery.blue"}
)


class There:
    """Who is there, as a program of its own tells."""

    def __init__(self, *names):
        self.names = names

    def age(self, name):
        return 0.0 if name in self.names else None


def app_of(lane=None, **conf):
    app = Celery("orders", broker="memory://", set_as_current=False)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    queues = [Queue("celery", routing_key="celery", queue_arguments=arguments), Queue("mails", routing_key="mails")]
    app.conf.update(task_queues=queues, **conf)
    LaneQueues(app, {"celery": LaneFilter(lane, ROSTER, liveness=There("celery.gray"))}).install()
    return app


@pytest.fixture
def app():
    found = app_of(task_routes={"mail": {"queue": "mails"}})
    yield found
    found.close()


def sent_to(app, lane, name="order", **options):
    """The exchange and the routing key of a task that is sent."""
    found = []

    def note(exchange, routing_key, **_):
        found.append((exchange, routing_key))

    signals.before_task_publish.connect(note)
    try:
        with use(env=lane):
            app.send_task(name, **options)
    finally:
        signals.before_task_publish.disconnect(note)
    return found[0]


def test_a_task_goes_to_the_queue_of_its_lane(app):
    assert sent_to(app, "gray") == ("", "celery.gray")
    assert sent_to(app, "gray", queue="celery") == ("", "celery.gray")
    for lane in ("blue", "prod", None, "purple"):
        assert sent_to(app, lane) == ("", "celery")


def test_a_retry_chooses_anew(app):
    """Celery sends one to the queue that its task came from."""
    assert sent_to(app, "blue", queue="celery.blue") == ("", "celery")
    assert sent_to(app, "gray", queue="celery.gray") == ("", "celery.gray")


def test_other_queues_and_destinations_stay(app):
    assert sent_to(app, "gray", "mail") == sent_to(app, "gray", queue="mails") == ("", "mails")
    assert sent_to(app, "gray", exchange=Exchange("events", "topic"), routing_key="a.b")[1] == "a.b"


def test_routes_that_are_set_later_are_followed(app):
    app.conf.update(task_routes={"order": {"queue": "mails"}})
    assert sent_to(app, "gray") == ("", "mails")
    app.conf.update(task_routes={"order": {"queue": "celery"}})
    assert sent_to(app, "gray") == ("", "celery.gray")


def test_an_app_may_have_sent_before():
    app = Celery("orders", broker="memory://", set_as_current=False)
    assert sent_to(app, "gray") == ("", "celery")
    LaneQueues(app, {"celery": LaneFilter(None, ROSTER, liveness=There("celery.gray"))}).install()
    assert sent_to(app, "gray") == ("", "celery.gray")
    app.close()


def consumed(app, *selected):
    """The queues that a worker consumes from, with `-Q` or without."""
    app.amqp.queues.select(selected)
    signals.celeryd_after_setup.send(sender="worker", instance=SimpleNamespace(app=app), conf=app.conf)
    return app.amqp.queues.consume_from


@pytest.mark.parametrize(
    ("lane", "selected", "queues"),
    [
        (None, (), {"celery", "mails"}),
        ("prod", ("celery",), {"celery"}),
        ("gray", (), {"celery.gray", "mails"}),
        ("gray", ("celery",), {"celery.gray"}),
        ("gray", ("celery.gray",), {"celery.gray"}),
        ("gray", ("mails",), {"mails"}),
    ],
)
def test_a_worker_consumes_from_the_queue_of_its_lane(lane, selected, queues):
    app = app_of(lane)
    found = consumed(app, *selected)
    assert set(found) == queues
    if "celery.gray" in found:
        assert found["celery.gray"].queue_arguments == found["celery.gray"].queue_arguments | {
            "x-dead-letter-routing-key": "dead"
        }
    app.close()


def test_the_worker_of_another_app_is_left_alone():
    gray, other = app_of("gray"), Celery("other", broker="memory://", set_as_current=False)
    assert set(consumed(other)) == {"celery"}
    assert set(gray.amqp.queues.consume_from) == {"celery", "mails"}
    gray.close()
    other.close()
