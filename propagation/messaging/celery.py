"""Celery: a task runs with the fields of whoever sent it.

Publishing writes the fields into the message's headers, running a task reads them; so do retries, chains, callbacks and
what a task sends on, as Celery publishes those from inside the task.
"""

from collections.abc import Callable
from contextvars import Token
from typing import Any

from celery import signals
from celery.app.task import Context as Request
from opentelemetry.context import Context, attach, detach

from propagation.attachment import current
from propagation.config import PropagationConfig
from propagation.inject import inject
from propagation.messaging.message import context_of
from propagation.patching import Undo
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor("celery", sends=Carried.INSTRUMENT, receives=Carried.INSTRUMENT)
# Names that a message's header has by Celery's own protocol, beside the attributes of a task's request.
_PROTOCOL = frozenset({"lang", "task", "argsrepr", "kwargsrepr", "compression"})


def install(config: PropagationConfig | None) -> Undo:
    """Have every Celery app of this process carry the fields, as producer and as worker; the answer takes it back.

    config: default, that of the request at hand for what is sent, else that of the environment.
    """
    running: dict[int, tuple[Context, Token[Context]]] = {}

    def publish(headers: dict[str, Any], **_: Any) -> None:
        _write(headers, config)

    def begin(task: Any, **_: Any) -> None:
        # A task that is called in place, and not sent, has its caller's context.
        if not task.request.is_eager:
            context = context_of(task.request.headers or {}, config)
            running[id(task.request)] = context, attach(context)

    def end(task: Any, **_: Any) -> None:
        context, token = running.pop(id(task.request), (None, None))
        # OpenTelemetry's receivers attach and detach here too, in the same order at both ends. Detaching what is no
        # longer on top would bring theirs back.
        if token is not None and current() is context:
            detach(token)

    return _connect([(signals.before_task_publish, publish), (signals.task_prerun, begin), (signals.task_postrun, end)])


def _write(headers: dict[str, Any], config: PropagationConfig | None) -> None:
    own = {name: value for name, value in headers.items() if not _is_celerys(name)}
    sent = inject(own, config=config)
    headers.update((name, value) for name, value in sent.items() if not _is_celerys(name))


def _is_celerys(name: str) -> bool:
    return name in _PROTOCOL or hasattr(Request, name)


def _connect(receivers: list[tuple[Any, Callable[..., None]]]) -> Undo:
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)

    def undo() -> None:
        for signal, receiver in receivers:
            signal.disconnect(receiver)

    return undo
