"""Correlation fields in the records of stdlib logging, structlog and loguru: the value of the moment."""

import io
import logging
import pickle
import queue
from logging.handlers import MemoryHandler, QueueHandler, QueueListener
from typing import Any

import loguru
import pytest
import structlog
from opentelemetry.context import Context

from propagation import ConfigError, PropagationConfig, instrument, uninstrument, use
from propagation.context import STATE_KEY, State
from propagation.logs import PropagationFilter, loguru_patcher, record_factory, structlog_processor

CONFIG = PropagationConfig(
    remote_fields=("env", "x-tenant"), local_fields=("step",), correlation_fields=("env", "step", "x-tenant")
)
FORMAT = "%(message)s %(env)s %(step)s %(x-tenant)s"


@pytest.fixture
def logger():
    """A logger of its own, whose handler keeps formatted lines in `lines`."""

    class Lines(logging.Handler):
        def emit(self, record):
            kept.lines.append(self.format(record))

    kept: Any = logging.Logger("test")
    kept.lines = []
    handler = Lines()
    handler.setFormatter(logging.Formatter(FORMAT))
    kept.addHandler(handler)
    return kept


@pytest.fixture(params=["filter", "factory", "instrumented"])
def correlated(request, logger):
    """The logger, correlated in each of the ways there are."""
    before = logging.getLogRecordFactory()
    if request.param == "filter":
        logger.handlers[0].addFilter(PropagationFilter(CONFIG))
    elif request.param == "factory":
        logging.setLogRecordFactory(record_factory(config=CONFIG))
    else:
        instrument("logging", config=CONFIG)
    yield logger
    uninstrument()
    logging.setLogRecordFactory(before)


def test_a_record_has_the_value_of_the_moment(correlated):
    correlated.warning("before")
    with use(env="gray.next", **{"x-tenant": "t1"}):
        correlated.warning("in")
        with use(env="prod"):
            correlated.warning("deeper")
        correlated.warning("in again")
    correlated.warning("after")
    assert correlated.lines == ["before - - -", "in gray - t1", "deeper prod - t1", "in again gray - t1", "after - - -"]


def test_a_local_field(logger):
    logger.handlers[0].addFilter(PropagationFilter())  # follows the request's config
    with use(Context({STATE_KEY: State(CONFIG)}), step="2"):
        logger.warning("now")
    assert logger.lines == ["now - 2 -"]


@pytest.mark.parametrize("correlated", ["filter", "instrumented"], indirect=True)
def test_what_the_program_says_itself_stays(correlated):
    with use(env="gray"):
        correlated.warning("mine", extra={"env": "staging"})
    assert correlated.lines == ["mine staging - -"]


def test_a_record_can_be_pickled(correlated):
    with use(env="gray"):
        record = correlated.makeRecord("test", logging.INFO, "f", 1, "m", (), None)
        correlated.handlers[0].filter(record)
    again = pickle.loads(pickle.dumps(record))
    assert (again.env, again.step) == ("gray", "-")


def test_a_field_that_a_record_has_for_something_else_is_an_error():
    config = PropagationConfig(remote_fields=("env", "name"), correlation_fields=("name",))
    for build in (PropagationFilter, lambda config: record_factory(config=config)):
        with pytest.raises(ConfigError, match="'name'"):
            build(config)
    with pytest.raises(ConfigError, match="'name'"):
        instrument("logging", config=config)


def test_instrumenting_twice_is_once_and_goes_back():
    before = logging.Logger.makeRecord
    instrument("logging")
    instrument("logging")
    uninstrument("logging")
    assert logging.Logger.makeRecord is before


def test_the_config_of_the_environment(environment, logger):
    environment(correlation_fields="env")
    logger.handlers[0].setFormatter(logging.Formatter("%(env)s"))
    logger.handlers[0].addFilter(PropagationFilter())
    with use(env="gray"):
        logger.warning("")
    assert logger.lines == ["gray"]


def test_structlog():
    events = []

    def keep(logger, method, event):
        events.append(dict(event))
        raise structlog.DropEvent

    logger = structlog.wrap_logger(None, processors=[structlog_processor(CONFIG), keep])
    logger.info("before")
    with use(env="gray"):
        logger.info("in")
        logger.info("mine", env="staging")
    assert events == [{"event": "before"}, {"event": "in", "env": "gray"}, {"event": "mine", "env": "staging"}]


def test_loguru():
    lines = []
    handler = loguru.logger.add(lambda line: lines.append(str(line).strip()), format="{message} {extra}")
    logger = loguru.logger.patch(loguru_patcher(CONFIG))
    try:
        logger.info("before")
        with use(env="gray"):
            logger.info("in")
            logger.bind(env="staging").info("mine")
    finally:
        loguru.logger.remove(handler)
    assert lines == ["before {}", "in {'env': 'gray'}", "mine {'env': 'staging'}"]


def far_end(config=CONFIG):
    """A handler with a filter, as it stands behind a queue, and what it writes."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s %(env)s"))
    handler.addFilter(PropagationFilter(config))
    return handler, out


class Unprepared(QueueHandler):
    """As many programs have it, so that records go through the queue whole."""

    def prepare(self, record):
        return record


class Pickling(QueueHandler):
    """As a queue between processes does it."""

    def enqueue(self, record):
        self.queue.put_nowait(pickle.loads(pickle.dumps(record)))


@pytest.mark.parametrize("kind", [QueueHandler, Unprepared, Pickling])
def test_records_that_a_queue_brings_have_the_value_of_their_making(kind):
    handler, out = far_end()
    records = queue.Queue()
    listener = QueueListener(records, handler)
    logger = logging.Logger("test")
    logger.addHandler(kind(records))
    logger.warning("before")
    with use(env="gray"):
        logger.warning("in")
    logger.warning("mine", extra={"env": "staging"})
    with use(env="prod"):
        listener.start()
        listener.stop()
    assert out.getvalue().splitlines() == ["before -", "in gray", "mine staging"]


def test_records_that_are_kept_and_written_later_too():
    handler, out = far_end()
    logger = logging.Logger("test")
    kept = MemoryHandler(100, target=handler)
    logger.addHandler(kept)
    with use(env="gray"):
        logger.warning("in")
    with use(env="prod"):
        kept.flush()
    assert out.getvalue() == "in gray\n"
    kept.close()


def test_a_record_that_nobody_noted_has_the_value_of_its_handling():
    handler, out = far_end()
    record = logging.makeLogRecord({"msg": "from elsewhere"})
    with use(env="gray"):
        handler.handle(record)
    assert out.getvalue() == "from elsewhere gray\n"


def test_what_is_noted_is_not_among_what_formatters_of_all_attributes_write():
    handler, _ = far_end()
    with use(env="gray"):
        record = logging.Logger("test").makeRecord("test", logging.INFO, "f", 1, "m", (), None)
    added = vars(record).keys() - vars(logging.makeLogRecord({})).keys()
    assert all(name.startswith("_") for name in added)
    handler.close()
