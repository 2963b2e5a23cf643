"""What every queue needs: the fields into a message's headers, and the context for the work that a message starts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context

from propagation.attachment import current
from propagation.config import PropagationConfig, default_config
from propagation.context import BAGGAGE_KEY, STATE_KEY, State, baggage_of, use
from propagation.extract import extract
from propagation.inject import inject
from propagation.tags import tag_current_span

# Where the fields are kept in messages that have no headers: one entry of what the library sends beside the arguments.
KEY = "propagation"


@contextmanager
def consumed(message: Any, *, config: PropagationConfig | None = None) -> Iterator[Context]:
    """Work on one message with its fields, and with those alone.

    message: anything with `headers`, as an attribute or a method: confluent-kafka's Message, a ConsumerRecord of
    aiokafka or kafka-python, a message of kombu, aio-pika or nats, pika's properties; or the headers themselves, a
    mapping, pairs or None. config: default, that of the environment.
    """
    headers = getattr(message, "headers", message)
    with use(context_of(headers() if callable(headers) else headers, config)) as context:
        yield context


def with_fields(headers: Mapping[str, Any] | None, config: PropagationConfig | None) -> dict[str, Any]:
    """A copy of a message's own headers, which win, with the fields of the current context."""
    return inject(dict(headers or {}), config=config)


def context_of(headers: Any, config: PropagationConfig | None) -> Context:
    """The current context with the fields of a message, and with those alone: what is around it sent another message.

    headers: a mapping, pairs, or None for a message without headers. config: default, that of the environment. A
    message without any header of ours gets the fields of `origin`.
    """
    config = default_config() if config is None else config
    around = current()
    baggage = {name: value for name, value in baggage_of(around).items() if name not in config.by_name}
    bare = {key: value for key, value in around.items() if key != STATE_KEY} | {BAGGAGE_KEY: baggage}
    context = extract(headers, config=config, context=Context(bare))
    if STATE_KEY not in context:
        origin = {name: value for name, value in config.origin.items() if value}
        context = Context({**bare, BAGGAGE_KEY: baggage | origin, STATE_KEY: State(config)})
    if config.tag_fields:
        tag_current_span(context)
    return context
