"""Kafka, by whatever client: the fields as record headers, pairs of a name and bytes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from propagation.attachment import current
from propagation.carriers import PairsCarrier
from propagation.config import PropagationConfig
from propagation.context import config_of
from propagation.inject import add_fields
from propagation.messaging.message import consumed
from propagation.patching import with_changed

__all__ = ["Headers", "consumed", "outgoing"]

Headers = list[tuple[str, Any]]


def outgoing(
    headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None, *, config: PropagationConfig | None = None
) -> Headers:
    """`headers` with the fields of the current context, for `produce(topic, value, headers=outgoing())`.

    headers: a record's own, which win; they are not changed. config: default, that of the request at hand, else that of
    the environment. Kafka is one destination: `allowed_hosts` says nothing about it.
    """
    sent: Headers = list(headers.items()) if isinstance(headers, Mapping) else list(headers or ())
    context = current()
    config = config_of(context, config)
    add_fields(PairsCarrier(sent, str, bytes), context, config)
    return sent


def sending(config: PropagationConfig | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What makes, of a producer's `send` with an argument `headers`, one that writes the fields."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: with_changed(
            original, "headers", lambda headers: outgoing(headers, config=config), *args, **kwargs
        )

    return make
