"""The fields of the work at hand, kept where OpenTelemetry keeps them: as baggage in its context.

So whoever sets or reads baggage by OpenTelemetry's API and whoever uses `get` and `use` see the same values. What
baggage cannot hold (fields that must not leave, the spelling of members that came in) lies beside it, in a `State`.
"""

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, create_key, get_current

from propagation.attachment import Attaching, current, start_clean
from propagation.config import PropagationConfig, default_config
from propagation.errors import InvalidValueError
from propagation.trail import Trail

# Learnt from the API rather than imported: with it, one copy of a context sets all our keys at once.
BAGGAGE_KEY = next(iter(set_baggage("", "", Context())))
STATE_KEY = create_key("propagation")
TRAIL_KEY = create_key("propagation-trail")  # who answered the calls of a request, where its server shows it
READ = "propagation.read"  # in a server's scope or environ: the config that this request was read with
# Whether the work at hand belongs to a request that was read: True, or the request's Trail where its server shows it.
# A server's callbacks run in the context of whoever registered them, so uvicorn can begin a request in that of one
# before it on the connection: pipelined, or after a body so large that reading paused. Not in OpenTelemetry's context,
# since its own middleware, further in, may begin an empty one.
READING: ContextVar[object] = ContextVar("propagation_reading", default=False)
F = TypeVar("F", bound=Callable[..., Any])
_NONE: Mapping[str, Any] = MappingProxyType({})


class Member(NamedTuple):
    """A foreign member of a `baggage` header: as OpenTelemetry reads its value, and as it was written."""

    value: str
    raw: str


class State(NamedTuple):
    """What the fields' baggage does not say. Its presence in a context says that a request, or `use`, began this work.

    config: who read the request; clients without a config of their own follow it. local: the local fields.
    foreign: the members that came in, by key.
    """

    config: PropagationConfig
    local: Mapping[str, str] = _NONE
    foreign: Mapping[str, Member] = _NONE


def get(name: str, context: Context | None = None) -> str | None:
    """The value of a field in `context` (default: the current one), None where it has none.

    Of the tag this is the lane: `env: gray.next` reads "gray". A value that the field does not take reads as None.
    """
    context = current() if context is None else context
    state = state_of(context)
    if state is not None and name in state.local:
        return state.local[name]
    config = default_config() if state is None else state.config
    value = outgoing(name, context, config)
    field = config.by_name.get(name)
    return value if value is None or field is None else field.read(value)


def outgoing(name: str, context: Context, config: PropagationConfig) -> str | None:
    """The whole value of a remote field, as it is sent on; None where it has none that the field takes."""
    value = baggage_of(context).get(name)
    if value is None and STATE_KEY not in context:
        return config.origin.get(name)
    if not isinstance(value, str):
        return None
    field = config.by_name.get(name)
    if field is None:
        return value
    if ";" in value:
        value = value.partition(";")[0].strip()  # properties, which OpenTelemetry's propagator takes for the value's
    return None if field.objection(value) else value


class Block:
    """What `use` and `detached` give: a context manager, also for many threads and tasks at once, and a decorator."""

    def __init__(self, caller: str, make: Callable[[Context], Context], whole: bool = False) -> None:
        self._caller, self._make = caller, make
        self._attaching = Attaching(whole)

    def __enter__(self) -> Context:
        context = self._make(current())
        self._attaching.attach(context)
        return context

    def __exit__(self, *error: object) -> None:
        self._attaching.detach()

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise TypeError(
                f"{self._caller}: {function.__qualname__} is a generator, which runs later; use `with` inside it"
            )
        if iscoroutinefunction(function):

            @wraps(function)
            async def work(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)
        else:

            @wraps(function)
            def work(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return cast(F, work)


def use(context: Context | None = None, /, **fields: str | None) -> Block:
    """Work inside the `with` block, or in the function that it decorates, with these fields.

    context: what they are set on top of (default: the current one). None takes a field away. A name with a dash goes in
    as `use(**{"x-request-id": "1"})`. Entering raises InvalidValueError for a value that a remote field does not take.
    """
    return Block("use", lambda around: with_fields(around if context is None else context, fields))


def detached() -> Block:
    """Start work that outlives its request: in the `with` block, or in the function that it decorates, there is none.

    No field, no member of `baggage` and no local field is there; `origin` holds, as for all work that no request
    started. A task, a thread or a timer that is begun inside keeps it so. OpenTelemetry's span stays the current one.
    """
    return Block("detached", _without_request, whole=True)


def with_fields(context: Context, fields: Mapping[str, str | None]) -> Context:
    """`context` with these fields set, and those of None taken away. Raises InvalidValueError as `use` does."""
    state = state_of(context)
    config = default_config() if state is None else state.config
    baggage = dict(baggage_of(context))
    if state is None:
        baggage = {name: value for name, value in config.origin.items() if value} | baggage
        state = State(config)
    local = dict(state.local)
    for name, value in fields.items():
        _check(name, value, config)
        target = local if name in config.local_fields else baggage
        _put(target, name, value)
    return Context({**context, BAGGAGE_KEY: baggage, STATE_KEY: state._replace(local=local)})


def without_fields(context: Context, fresh: State) -> Context:
    """`context` without the remote fields of `fresh.config`, whatever set them; nothing comes in their place."""
    baggage = {name: value for name, value in baggage_of(context).items() if name not in fresh.config.by_name}
    return Context({**context, BAGGAGE_KEY: baggage, STATE_KEY: continued(context, fresh)})


def continued(context: Context, fresh: State) -> State:
    """`fresh`, with what the entry of `context` has already to say of local fields and foreign members."""
    before = state_of(context)
    return fresh if before is None else before._replace(config=fresh.config)


def forgetting(context: Context) -> Context:
    """`context` without baggage and without our entries; a span, and what else others keep there, stays."""
    return Context({key: value for key, value in context.items() if key not in (BAGGAGE_KEY, STATE_KEY, TRAIL_KEY)})


def _without_request(context: Context) -> Context:
    bare = forgetting(context)
    # Else the calls of this work would be on the trail of the request, which READING still has.
    return Context({**bare, TRAIL_KEY: False}) if READING.get() else bare


def baggage_of(context: Context) -> Mapping[str, object]:
    """OpenTelemetry's baggage in `context`."""
    found = context.get(BAGGAGE_KEY)
    return found if isinstance(found, dict) else _NONE


def state_of(context: Context) -> State | None:
    """Our own entry in `context`, None where no request and no `use` began this work."""
    found = context.get(STATE_KEY)
    return found if isinstance(found, State) else None


def trail_of(context: Context) -> Trail | None:
    """Where the calls of the request in `context` are collected, None where nobody asks for its trail."""
    found = context.get(TRAIL_KEY)
    if found is None:
        found = READING.get()
    return found if isinstance(found, Trail) else None


def shown_trail(context: Context, config: PropagationConfig) -> Trail | None:
    """The trail that a server of `config` adds to its answer to the request in `context`."""
    found = context.get(TRAIL_KEY) if config.trail else None
    return found if isinstance(found, Trail) else None


def config_of(context: Context, config: PropagationConfig | None = None) -> PropagationConfig:
    """`config` if given, else that of the request in `context`, else the process's own."""
    if config is not None:
        return config
    state = state_of(context)
    return default_config() if state is None else state.config


def _start_clean() -> None:
    READING.set(False)
    start_clean(forgetting(get_current()))


# A pool's process is forked when a request first needs it, with that request's context, and then works for all.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_clean)


def _check(name: str, value: str | None, config: PropagationConfig) -> None:
    field = config.by_name.get(name)
    if value is not None and field is not None and (objection := field.objection(value)):
        listed = (
            f"; allowed are {', '.join(sorted(field.allowed))}" if field.allowed and objection == "unlisted" else ""
        )
        raise InvalidValueError(f"{name}: the value {value[:80]!r} is {objection}{listed}")


def _put(target: dict[str, str] | dict[str, object], name: str, value: str | None) -> None:
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value
