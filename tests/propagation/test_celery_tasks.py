"""Celery: real messages over its in-memory broker to a worker in this process."""

import threading

import pytest
from celery import Celery, chain, signals
from celery.contrib.testing.worker import start_worker
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current

from propagation import PropagationConfig, extract, get, instrument, uninstrument, use
from propagation.messaging.celery import _is_celerys

app = Celery("tests", broker="memory://", backend="cache+memory://")
app.conf.update(
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"polling_interval": 0.01},
    result_expires=None,
)


@app.task
def lane():
    return get("env")


@app.task(bind=True)
def what_came(self):
    return {
        "lane": get("env"),
        "user": baggage.get_baggage("user"),
        "headers": self.request.headers,
        "id": self.request.id,
    }


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def second_time(self):
    if not self.request.retries:
        raise self.retry()
    return get("env")


@app.task
def failing():
    raise ValueError("on purpose")


@app.task
def asking():
    """What this task sends is not waited for here: the worker has one thread."""
    return lane.delay().id


@app.task
def add(lanes):
    return f"{lanes},{get('env')}"


@pytest.fixture(scope="module")
def worker():
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR", shutdown_timeout=10):
        yield
        # The worker looks whether it shall stop when a message came, or every two seconds.
        threading.Timer(0.1, lane.delay).start()


@pytest.fixture(autouse=True)
def _instrumented(worker):
    instrument("celery")
    yield
    uninstrument("celery")


def result(task, **options):
    return task.apply_async(**options).get(timeout=10, interval=0.01)


def test_each_task_has_the_tag_of_whoever_sent_it():
    lanes = ["gray", "prod", None, "gray", None]
    sent = []
    for one in lanes:
        with use(env=one):
            sent.append(lane.delay())
    assert [one.get(timeout=10, interval=0.01) for one in sent] == lanes


def test_the_tag_and_baggage_go_as_headers_of_the_message():
    with use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"}, context=Context())):
        came = result(what_came)
    assert came["lane"] == "gray"
    assert came["headers"] == {"env": "gray.next", "baggage": "env=gray.next,user=alice;ttl=5"}


def test_the_senders_own_header_wins():
    with use(env="gray"):
        assert result(lane, headers={"env": "prod"}) == "prod"


def test_a_retry_has_the_tag_too():
    with use(env="gray"):
        assert result(second_time) == "gray"


def test_what_a_task_sends_has_its_tag():
    with use(env="gray"):
        inner = result(asking)
    assert app.AsyncResult(inner).get(timeout=10, interval=0.01) == "gray"


def test_a_chain_and_a_callback_have_the_tag():
    with use(env="gray"):
        sent = chain(lane.s(), add.s(), add.s()).delay()
    assert sent.get(timeout=10, interval=0.01) == "gray,gray,gray"


def test_after_a_failure_the_next_task_is_untagged():
    with use(env="gray"):
        sent = failing.delay()
    with pytest.raises(ValueError, match="on purpose"):
        sent.get(timeout=10, interval=0.01)
    assert result(lane) is None


def test_a_task_called_in_place_keeps_its_callers_tag():
    with use(env="gray"):
        assert lane.apply().get() == "gray"
        assert lane() == "gray"


def test_a_message_from_nowhere_has_the_origin():
    instrument("celery", config=PropagationConfig(origin={"env": "gray"}))
    assert result(lane) == "gray"
    with use(env="prod"):
        assert result(lane) == "prod"


@pytest.mark.slow
def test_a_field_named_as_celerys_own_header_does_not_break_the_message():
    config = PropagationConfig(remote_fields=("env", "id", "task"))
    instrument("celery", config=config)
    with use(extract({"env": "gray", "id": "t1", "task": "t2"}, config=config, context=Context())):
        came = result(what_came)
    assert came["lane"] == "gray"
    assert came["id"] != "t1"
    assert came["headers"] == {"env": "gray", "baggage": "env=gray,id=t1,task=t2"}
    assert _is_celerys("root_id")


@pytest.mark.slow
def test_uninstrumented_nothing_is_sent():
    uninstrument("celery")
    with use(env="gray"):
        assert result(what_came)["headers"] is None


@pytest.mark.slow
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_with_another_instrumentation_on_the_same_signals_nothing_is_left(first):
    """As opentelemetry-instrumentation-celery does it: attached before the task, detached after, in one order."""
    tokens, after, done = [], [], threading.Event()

    def begin(**_):
        tokens.append(attach(baggage.set_baggage("theirs", "1")))

    def end(**_):
        detach(tokens.pop())

    def look(**_):
        after.append(get_current())
        done.set()

    if first == "theirs":
        uninstrument("celery")
    signals.task_prerun.connect(begin)
    signals.task_postrun.connect(end)
    instrument("celery")
    signals.task_postrun.connect(look)
    try:
        with use(env="gray"):
            assert result(lane) == "gray"
        assert done.wait(10)
        if first == "theirs":
            assert after == [Context()]
        assert result(lane) is None
    finally:
        signals.task_prerun.disconnect(begin)
        signals.task_postrun.disconnect(end)
        signals.task_postrun.disconnect(look)
