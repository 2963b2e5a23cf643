"""The correlation fields in log records: those of stdlib logging, structlog and loguru. None of them is loaded here.

A record gets the value of the moment in which it is made. What a program itself gives a record under a field's name
stays.
"""

import logging
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from weakref import WeakSet

from propagation.attachment import current
from propagation.config import PropagationConfig, default_config
from propagation.context import config_of, get
from propagation.errors import ConfigError
from propagation.patching import Undo, patch
from propagation.registry import Descriptor

DESCRIPTOR = Descriptor(None, explicit=("propagation.logs.PropagationFilter", "propagation.logs.record_factory"))
NONE = "-"  # in a record of stdlib logging, whose format must find each name
_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class PropagationFilter(logging.Filter):
    """For a handler: `handler.addFilter(PropagationFilter())`, then `%(env)s` in its format.

    A record that a queue brings to the handler, as QueueHandler and QueueListener do, has the values of its making.
    config: default, that of the request at hand, else that of the environment. Raises ConfigError for a field whose
    name a record has for something else.
    """

    def __init__(self, config: PropagationConfig | None = None) -> None:
        super().__init__()
        self._config = _checked(config)
        _note_for(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; every record passes."""
        noted = vars(record).get(_NOTED)
        if noted is None:
            _add(record, self._config)
        else:
            for name in self.fields():
                vars(record).setdefault(name, noted.get(name, NONE))
        return True

    def fields(self) -> tuple[str, ...]:
        """The fields that this filter adds where it stands."""
        return config_of(current(), self._config).correlation_fields


# A filter at the far end of a queue runs in another thread, or another process: what it adds is noted in each record
# when it is made, by an attribute that formatters of all attributes pass over. The value is made of plain texts, since
# queues between processes pickle records.
_NOTED = "_propagation"
_FILTERS: WeakSet[PropagationFilter] = WeakSet()


def _note_for(one: PropagationFilter) -> None:
    if not hasattr(logging.Logger.makeRecord, _NOTED):
        patch(logging.Logger, "makeRecord", _noting)
        vars(logging.Logger.makeRecord)[_NOTED] = True
    _FILTERS.add(one)


def _noting(original: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def make_with_note(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = original(*args, **kwargs)
        if _FILTERS:
            names = {name for one in _FILTERS for name in one.fields()}
            vars(record)[_NOTED] = {name: value for name in names if (value := get(name)) is not None}
        return record

    return make_with_note


def record_factory(
    factory: Callable[..., logging.LogRecord] | None = None, config: PropagationConfig | None = None
) -> Callable[..., logging.LogRecord]:
    """For `logging.setLogRecordFactory(record_factory())`: every record has the fields, whatever handles it.

    factory: what makes the records (default: the one in force). stdlib logging lets no `extra` repeat what a factory
    has set; where a program does that, `instrument("logging")` is the way. Raises as PropagationFilter does.
    """
    make = logging.getLogRecordFactory() if factory is None else factory
    config = _checked(config)

    def make_with_fields(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        _add(record, config)
        return record

    return make_with_fields


def structlog_processor(
    config: PropagationConfig | None = None,
) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    """A processor for `structlog.configure(processors=[structlog_processor(), …])`."""
    _checked(config)

    def add_fields(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        _fill(event, config)
        return event

    return add_fields


def loguru_patcher(config: PropagationConfig | None = None) -> Callable[[Any], None]:
    """A patcher for `logger.configure(patcher=loguru_patcher())`; the fields are in the record's `extra`."""
    _checked(config)

    def add_fields(record: Any) -> None:
        _fill(record["extra"], config)

    return add_fields


def install(config: PropagationConfig | None) -> Undo:
    """Have every logger of stdlib logging add the fields; the answer takes it back."""
    config = _checked(config)

    # Not by a record factory: it comes before `extra`, and would have logging refuse what programs give there.
    def make_record(original: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
        def make_with_fields(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = original(*args, **kwargs)
            _add(record, config)
            return record

        return make_with_fields

    return patch(logging.Logger, "makeRecord", make_record)


def _add(record: logging.LogRecord, config: PropagationConfig | None) -> None:
    for name, value in _fields(config):
        vars(record).setdefault(name, NONE if value is None else value)


def _fill(event: MutableMapping[str, Any], config: PropagationConfig | None) -> None:
    for name, value in _fields(config):
        if value is not None:
            event.setdefault(name, value)


def _fields(config: PropagationConfig | None) -> Iterator[tuple[str, str | None]]:
    context = current()
    for name in config_of(context, config).correlation_fields:
        yield name, get(name, context)


def _checked(config: PropagationConfig | None) -> PropagationConfig | None:
    """`config` as it is. That of the environment is read here, so that what is wrong with it is said at the start."""
    fields = (default_config() if config is None else config).correlation_fields
    if taken := next((name for name in fields if name in _TAKEN), None):
        raise ConfigError(f"correlation_fields: a log record has {taken!r} for something else")
    return config
