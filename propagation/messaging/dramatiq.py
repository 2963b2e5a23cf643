"""dramatiq: an actor runs with the fields of whoever sent its message; they are kept among the message's options."""

from collections.abc import Callable
from contextvars import Token
from typing import Any

from dramatiq import Broker, Message
from opentelemetry.context import Context, attach, detach

from propagation.config import PropagationConfig
from propagation.messaging.message import KEY, context_of, with_fields
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("dramatiq", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)


def install(config: PropagationConfig | None) -> Undo:
    """Have every broker write the fields, and every worker run with them; the answer takes it back.

    Around all middleware of the broker, so that what it sends after an actor (retries, callbacks, pipelines) has the
    actor's fields.
    """
    running: dict[int, Token[Context]] = {}

    def before(original: Callable[..., Any]) -> Callable[..., Any]:
        def emit_before(self: Broker, signal: str, *args: Any, **kwargs: Any) -> None:
            if signal == "enqueue":
                _write(args[0], config)
            elif signal == "process_message":
                running[id(args[0])] = attach(context_of(args[0].options.get(KEY), config))
            original(self, signal, *args, **kwargs)

        return emit_before

    def after(original: Callable[..., Any]) -> Callable[..., Any]:
        def emit_after(self: Broker, signal: str, *args: Any, **kwargs: Any) -> None:
            try:
                original(self, signal, *args, **kwargs)
            finally:
                token = running.pop(id(args[0]), None) if signal in ("process_message", "skip_message") else None
                if token is not None:
                    detach(token)

        return emit_after

    return undo_all([patch(Broker, "emit_after", after), patch(Broker, "emit_before", before)])


def _write(message: Message[Any], config: PropagationConfig | None) -> None:
    if fields := with_fields(message.options.get(KEY), config):
        message.options[KEY] = fields
