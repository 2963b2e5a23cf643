"""From the headers of a request or a message to a context: every rule of reading in one place."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context

from propagation import carriers, members, rejections
from propagation.attachment import current
from propagation.config import PropagationConfig
from propagation.context import (
    BAGGAGE_KEY,
    STATE_KEY,
    TRAIL_KEY,
    Member,
    State,
    baggage_of,
    config_of,
    continued,
    without_fields,
)
from propagation.fields import RemoteField, each_value
from propagation.trail import Trail

Pairs = tuple[tuple[str, str], ...]  # headers, names in lower case
_KNOWN = 64  # values to remember
_SHORT = 512  # characters of headers whose values are remembered


def extract(headers: Any, *, config: PropagationConfig | None = None, context: Context | None = None) -> Context:
    """The fields that `headers` carry, in a context for `use` or for OpenTelemetry's `attach`.

    headers: a mapping, pairs, or None for a message without headers; names in any case, names and values str or bytes.
    context: what to add to (default: the current one); it comes back unchanged where the headers say nothing of a
    field.
    A value that a field does not take leaves the work without it; it is counted and logged, and nothing is raised.
    """
    context = current() if context is None else context
    config = config_of(context, config)
    return read_into(context, carriers.find(headers, config.names_read), State(config))


def read_request(context: Context, found: carriers.Found | None, fresh: State) -> Context:
    """As `read_into`, for a server: also without a field, `origin` no longer applies and clients follow the config."""
    if not found and fresh.config.trust_inbound:
        return Context({**context, STATE_KEY: continued(context, fresh)})
    return _begun(read_into(context, found or {}, fresh), fresh.config)


def _begun(read: Context, config: PropagationConfig) -> Context:
    """The context of a request that was read, with what each request has of its own."""
    if config.tag_fields:
        from propagation.tags import tag_current_span  # loads OpenTelemetry's tracing, which few need

        tag_current_span(read)
    if config.trail and config.tag in baggage_of(read):
        return Context({**read, TRAIL_KEY: Trail()})
    return read


class RequestReader:
    """Reads one request after another by one config, and remembers what the few values of a tag come to."""

    def __init__(self, config: PropagationConfig) -> None:
        self._config, self._fresh = config, State(config)
        # Of several fields, one is likely to differ from request to request, as an id does.
        self._remembers = config.trust_inbound and len(config.fields) == 1 and not config.tag_fields
        self._shared = not config.trail
        self._known: dict[Pairs, Context] = {}

    def read(self, context: Context, pairs: Pairs) -> Context:
        """As `read_request`, of those headers that `config.names_read` names, as they came."""
        if context or not self._remembers or not pairs:
            return read_request(context, _by_name(pairs), self._fresh)
        known = self._known.get(pairs)
        if known is None:
            return _begun(self._learn(pairs), self._config)
        # What is remembered has a tag.
        return known if self._shared else Context(known | {TRAIL_KEY: Trail()})

    def _learn(self, pairs: Pairs) -> Context:
        read = read_into(Context(), _by_name(pairs), self._fresh)
        # What was dropped is counted and logged each time, and what is foreign is seldom the same again.
        if read[STATE_KEY] is self._fresh and read[BAGGAGE_KEY] and sum(len(value) for _, value in pairs) <= _SHORT:
            if len(self._known) >= _KNOWN:
                self._known.clear()  # strangers may send any number of values
            self._known[pairs] = read
        return read


def _by_name(pairs: Pairs) -> carriers.Found:
    found: carriers.Found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def read_into(context: Context, found: carriers.Found, fresh: State) -> Context:
    """`context` with what was found, by the rules of `fresh.config`. Only `config.names_read` may be among `found`."""
    config = fresh.config
    if not config.trust_inbound:
        return without_fields(context, fresh)
    if not found:
        return context
    baggage = dict(baggage_of(context)) if context else {}
    state = continued(context, fresh) if context else fresh
    own: carriers.Found = {}
    if members.HEADER in found:
        own, foreign = _split(members.split(found[members.HEADER]), config)
        baggage.update((key, member.value) for key, member in foreign.items())
        if foreign:
            state = state._replace(foreign=foreign)
    for field in config.fields:
        for name in field.wire_names:
            if name in found:
                _put(baggage, field, each_value(found[name]))
                break
        else:
            if field.name in own:
                _put(baggage, field, own[field.name])
    return Context({**context, BAGGAGE_KEY: baggage, STATE_KEY: state})


def _split(listed: list[str], config: PropagationConfig) -> tuple[dict[str, list[str]], dict[str, Member]]:
    own: dict[str, list[str]] = {}
    foreign: dict[str, Member] = {}
    for member in listed:
        key = members.key_of(member)
        if key in config.by_name:
            own.setdefault(key, []).append(members.value_of(member) or "")
        elif key and config.baggage == "passthrough" and key not in config.local_fields and members.is_sendable(member):
            twin = foreign.get(key)
            foreign[key] = members.foreign(member, twin.raw if twin else None)
    return own, foreign


def _put(baggage: dict[str, object], field: RemoteField, sent: Sequence[str]) -> None:
    """Take the one value that was sent; what is not one good value takes away what the context had."""
    value, objection = field.agreed(sent)
    if objection is None:
        baggage[field.name] = value
    else:
        baggage.pop(field.name, None)
        rejections.REJECTED.add(field.name, objection, value)
