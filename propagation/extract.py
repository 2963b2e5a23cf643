"""From the headers of a request or a message to a context: every rule of reading in one place."""

from typing import Any

from opentelemetry.context import Context, get_current

from propagation import carriers, members
from propagation.config import PropagationConfig
from propagation.context import BAGGAGE_KEY, STATE_KEY, Member, baggage_of, config_of, state_for, without_fields
from propagation.fields import RemoteField
from propagation.rejections import REJECTED


def extract(headers: Any, *, config: PropagationConfig | None = None, context: Context | None = None) -> Context:
    """The fields that `headers` carry, in a context for `use` or for OpenTelemetry's `attach`.

    headers: a mapping or a sequence of pairs, names in any case, names and values str or bytes. context: what to add to
    (default: the current one); it comes back unchanged where the headers say nothing of a field.
    A value that a field does not take leaves the work without it; it is counted and logged, and nothing is raised.
    """
    context = get_current() if context is None else context
    config = config_of(context, config)
    return read_into(context, carriers.find(headers, names_read(config)), config)


def names_read(config: PropagationConfig) -> frozenset[str]:
    """The headers, in lower case, that this config reads."""
    return config.wire_names if config.baggage == "off" else config.wire_names | {members.HEADER}


def read_request(context: Context, found: carriers.Found, config: PropagationConfig, source: object) -> Context:
    """As `read_into`, for a server: also without a field, `origin` no longer applies and clients follow `config`."""
    if found or not config.trust_inbound:
        return read_into(context, found, config, source)
    return Context({**context, STATE_KEY: state_for(context, config, source)})


def read_into(context: Context, found: carriers.Found, config: PropagationConfig, source: object = None) -> Context:
    """`context` with what was found in the headers `source`. Only `names_read` may be among `found`."""
    if not config.trust_inbound:
        return without_fields(context, config, source)
    if not found:
        return context
    own, foreign = _split(members.split(found.get(members.HEADER, ())), config)
    baggage = dict(baggage_of(context))
    baggage.update((key, member.value) for key, member in foreign.items())
    for field in config.fields:
        sent = _sent(field, found) or own.get(field.name)
        if sent is not None:
            _put(baggage, field, sent)
    state = state_for(context, config, source)
    if foreign:
        state = state._replace(foreign=foreign)
    return Context({**context, BAGGAGE_KEY: baggage, STATE_KEY: state})


def _sent(field: RemoteField, found: carriers.Found) -> list[str] | None:
    return next((found[name] for name in field.wire_names if name in found), None)


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


def _put(baggage: dict[str, object], field: RemoteField, sent: list[str]) -> None:
    """Take the one value that was sent; what is not one good value takes away what the context had."""
    values = {value.strip(" \t") for value in sent}
    value = values.pop()
    objection = "conflict" if values else field.objection(value)
    if objection is None:
        baggage[field.name] = value
    else:
        baggage.pop(field.name, None)
        REJECTED.add(field.name, objection, value)
