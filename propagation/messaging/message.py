"""The context for the work that a message starts."""

from typing import Any

from opentelemetry.context import Context, get_current

from propagation.config import PropagationConfig, default_config
from propagation.context import BAGGAGE_KEY, STATE_KEY, State, baggage_of
from propagation.extract import extract
from propagation.tags import tag_current_span


def context_of(headers: Any, config: PropagationConfig | None) -> Context:
    """The current context with the fields of a message, and with those alone: what is around it sent another message.

    config: default, that of the environment. A message without any header of ours gets the fields of `origin`.
    """
    config = default_config() if config is None else config
    around = get_current()
    baggage = {name: value for name, value in baggage_of(around).items() if name not in config.by_name}
    bare = {key: value for key, value in around.items() if key != STATE_KEY} | {BAGGAGE_KEY: baggage}
    context = extract(headers, config=config, context=Context(bare))
    if STATE_KEY not in context:
        origin = {name: value for name, value in config.origin.items() if value}
        context = Context({**bare, BAGGAGE_KEY: baggage | origin, STATE_KEY: State(config)})
    if config.tag_fields:
        tag_current_span(context)
    return context
