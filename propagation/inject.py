"""From a context to the headers of a request or a message: every rule of writing in one place."""

from collections.abc import Iterator
from typing import TypeVar, overload

from opentelemetry.context import Context, get_current

from propagation import carriers, members
from propagation.carriers import Carrier, Found
from propagation.config import PropagationConfig
from propagation.context import baggage_of, config_of, outgoing, state_of
from propagation.fields import RemoteField
from propagation.hosts import host_of

C = TypeVar("C")


@overload  # so that `headers = inject({})` needs no annotation
def inject(
    headers: dict[str, str],
    url: str | None = None,
    *,
    config: PropagationConfig | None = None,
    context: Context | None = None,
) -> dict[str, str]: ...
@overload
def inject(
    headers: C, url: str | None = None, *, config: PropagationConfig | None = None, context: Context | None = None
) -> C: ...
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
    written = members.split_all(found.get(members.HEADER, ()))
    values: dict[str, str] = {}
    for field in config.fields:
        value = _value(field, found, written, context, config)
        if value is not None:
            values[field.name] = value
            if found.keys().isdisjoint(field.wire_names):
                carrier.add(field.wire_names[0], value)
    if config.baggage != "off":
        _write_baggage(carrier, found, list(_baggage(values, written, context, config)))


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
    # Members that say nothing good do not stay, unlike such a header: if they counted, a second writer would find none.
    own = [] if config.baggage == "off" else [one for one in written if members.key_of(one) == field.name]
    said = _agreed(field, [members.value_of(one) or "" for one in own])
    return outgoing(field.name, context, config) if said is None else said


def _agreed(field: RemoteField, sent: list[str]) -> str | None:
    """The one good value that was sent, None where there is no such."""
    values = {value.strip(" \t") for value in sent}
    value = values.pop() if len(values) == 1 else ""
    return value if field.objection(value) is None else None


def _baggage(values: dict[str, str], written: list[str], context: Context, config: PropagationConfig) -> Iterator[str]:
    """Our members first, for readers who stop at a limit; then the caller's own; then the context's."""
    yield from (f"{name}={value}" for name, value in values.items())
    if config.baggage == "declared":
        return
    spelling = dict(_foreign(context, config))
    rewritten = {members.rewritten(raw): raw for raw in spelling.values()}
    keys = set()
    for member in written:
        key = members.key_of(member)
        if key not in config.by_name and key not in config.local_fields:
            keys.add(key)
            yield rewritten.get(member, member)
    yield from members.limited([raw for key, raw in spelling.items() if key not in keys])


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
