"""From a context to the headers of a request or a message: every rule of writing in one place."""

from collections.abc import Iterator
from typing import TypeVar

from opentelemetry.context import Context, get_current

from propagation import carriers, members
from propagation.carriers import Carrier, Found
from propagation.config import PropagationConfig
from propagation.context import baggage_of, config_of, outgoing, state_of
from propagation.fields import RemoteField
from propagation.hosts import host_of

C = TypeVar("C")


def inject(
    headers: C, url: str | None = None, *, config: PropagationConfig | None = None, context: Context | None = None
) -> C:
    """Write the fields of `context` (default: the current one) into `headers`, and give `headers` back.

    headers: a mutable mapping or a list of pairs. url: where they go; to a host that `allowed_hosts` does not name,
    nothing is added and what is ours is taken out. None, as for a message, is allowed always.
    A field's header that is there already is the caller's own and stays; a `baggage` header is added to. Doing it
    twice changes nothing. Raises TypeError for headers that cannot be written.
    """
    context = get_current() if context is None else context
    config = config_of(context, config)
    carrier = carriers.carrier_for(headers)
    if url is None or config.allows(host_of(url)):
        add_fields(carrier, context, config)
    else:
        remove_fields(carrier, context, config)
    return headers


def has_fields(context: Context, config: PropagationConfig) -> bool:
    """Whether `add_fields` could change anything: there is something to send on, or "declared" to be kept."""
    if baggage_of(context) or config.baggage == "declared":
        return True
    return config.has_origin and state_of(context) is None


def add_fields(carrier: Carrier, context: Context, config: PropagationConfig) -> None:
    """Write the fields, and the baggage that `config.baggage` lets out, without asking where they go."""
    if not has_fields(context, config):
        return
    found = carrier.find(config.wire_names | {members.HEADER})
    written = members.split_all(found[members.HEADER]) if members.HEADER in found else []
    values: dict[str, str] = {}
    for field in config.fields:
        value = _value(field, found, written, context, config)
        if value is not None:
            values[field.name] = value
            if found.keys().isdisjoint(field.wire_names):
                carrier.add(field.wire_names[0], value)
    if config.baggage != "off":
        _write_baggage(carrier, found, _baggage(values, written, context, config))


def remove_fields(carrier: Carrier, context: Context, config: PropagationConfig) -> None:
    """Take out what `add_fields` would have written, and our fields whoever wrote them."""
    found = carrier.find(config.wire_names | {members.HEADER})
    for name in found.keys() - {members.HEADER}:
        carrier.remove(name)
    ours = {raw for _, raw in _foreign(context, config)}
    listed = members.split_all(found.get(members.HEADER, ()))
    _write_baggage(
        carrier, found, [one for one in listed if members.key_of(one) not in config.by_name and one not in ours]
    )


def _value(
    field: RemoteField, found: Found, written: list[str], context: Context, config: PropagationConfig
) -> str | None:
    """The value that leaves: of the caller's own header, else of the caller's own member, else of the context."""
    for name in field.wire_names:
        if name in found:
            return _agreed(field, found[name])
    if written and config.baggage != "off":
        # Members that say nothing good do not stay, unlike such a header: if they counted, a second writer would find
        # none.
        own = [members.value_of(one) or "" for one in written if members.key_of(one) == field.name]
        if (said := _agreed(field, own)) is not None:
            return said
    return outgoing(field.name, context, config)


def _agreed(field: RemoteField, sent: list[str]) -> str | None:
    """The one good value that was sent, None where there is no such."""
    values = {value.strip(" \t") for value in sent}
    value = values.pop() if len(values) == 1 else ""
    return value if field.objection(value) is None else None


def _baggage(values: dict[str, str], written: list[str], context: Context, config: PropagationConfig) -> list[str]:
    """Our members first, for readers who stop at a limit; then the caller's own; then the context's."""
    listed = [f"{name}={value}" for name, value in values.items()]
    if config.baggage == "declared":
        return listed
    spelling = dict(_foreign(context, config))
    if written:
        listed += _callers(written, spelling, config)
    return listed + members.limited(list(spelling.values())) if spelling else listed


def _callers(written: list[str], spelling: dict[str, str], config: PropagationConfig) -> Iterator[str]:
    """The caller's own members; the context's of the same keys are taken out of `spelling`."""
    rewritten = {members.rewritten(raw): raw for raw in spelling.values()}
    for member in written:
        key = members.key_of(member)
        if key not in config.by_name and key not in config.local_fields:
            spelling.pop(key, None)
            yield rewritten.get(member, member)


def _foreign(context: Context, config: PropagationConfig) -> Iterator[tuple[str, str]]:
    """Key and spelling of what baggage holds besides our fields: as it came in, unless it was changed since."""
    if config.baggage != "passthrough":
        return
    state = state_of(context)
    came = state.foreign if state else {}
    for key, value in baggage_of(context).items():
        if key in config.by_name or key in config.local_fields:
            continue
        member = came.get(key)
        yield key, member.raw if member and member.value == value else members.write(key, str(value))


def _write_baggage(carrier: Carrier, found: Found, listed: list[str]) -> None:
    before = found.get(members.HEADER)
    if before is not None:
        if members.split_all(before) == listed:
            return
        carrier.remove(members.HEADER)
    if listed:
        carrier.add(members.HEADER, ",".join(listed))
