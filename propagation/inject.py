"""From a context to the headers of a request or a message: every rule of writing in one place."""

from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

from opentelemetry.context import Context

from propagation import carriers, members
from propagation.attachment import current
from propagation.carriers import Carrier, Found
from propagation.config import PropagationConfig
from propagation.context import baggage_of, config_of, outgoing, state_of
from propagation.fields import RemoteField, each_value
from propagation.hosts import host_of
from propagation.signatures import NOTHING, signed_names

C = TypeVar("C")
# Sentry's SDK writes these into each call by its own list of targets, and repeats those that came in.
_WRITTEN_BY_SENTRY = "sentry-"


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
    headers: None, url: str | None = None, *, config: PropagationConfig | None = None, context: Context | None = None
) -> dict[str, str]: ...
@overload
def inject(
    headers: C, url: str | None = None, *, config: PropagationConfig | None = None, context: Context | None = None
) -> C: ...
def inject(
    headers: C | None,
    url: str | None = None,
    *,
    config: PropagationConfig | None = None,
    context: Context | None = None,
) -> C | dict[str, str]:
    """Write the fields of `context` (default: the current one) into `headers`, and give `headers` back.

    headers: a mutable mapping or a list of pairs; None, as in a message without headers, gives a new dict. url: where
    they go; to a host that `allowed_hosts` does not name, nothing is added and what is ours is taken out. None, as for
    a message, is allowed always.
    A field's header that is there already is the caller's own and stays; a `baggage` header is added to. A header that
    the request's signature covers stays as it is. Doing it twice changes nothing. Raises TypeError for headers that
    cannot be written.
    """
    written: C | dict[str, str] = {} if headers is None else headers
    context = current() if context is None else context
    config = config_of(context, config)
    carrier = carriers.carrier_for(written)
    if url is None or config.allows(host_of(url)):
        add_fields(carrier, context, config, url or "")
    else:
        remove_fields(carrier, context, config, url)
    return written


def has_fields(context: Context, config: PropagationConfig) -> bool:
    """Whether `add_fields` could change anything: there is something to send on, or "declared" to be kept."""
    if baggage_of(context) or config.baggage == "declared":
        return True
    return config.has_origin and state_of(context) is None


def add_fields(carrier: Carrier, context: Context, config: PropagationConfig, url: str | bytes = "") -> None:
    """Write the fields, and the baggage that `config.baggage` lets out, without asking where they go.

    url: where they go, or the query of that alone: a signature may stand there.
    """
    if has_fields(context, config):
        write_fields(carrier, context, config, url)


def write_fields(carrier: Carrier, context: Context, config: PropagationConfig, url: str | bytes = "") -> None:
    """As `add_fields`, for a client that has asked `has_fields` already."""
    found = carrier.find(config.names_written)
    signed = signed_names(found, url) if found or url else NOTHING
    if not found and not signed:
        _add_all(carrier, context, config)
        return
    written = members.split_all(found[members.HEADER]) if members.HEADER in found else []
    values: dict[str, str] = {}
    for field in config.fields:
        value = _value(field, found, written, context, config)
        if value is not None:
            values[field.name] = value
            if field.wire_names[0] not in signed and found.keys().isdisjoint(field.wire_names):
                carrier.add(field.wire_names[0], value)
    if config.baggage != "off" and members.HEADER not in signed:
        _write_baggage(carrier, found, _baggage(values, written, context, config))


def _add_all(carrier: Carrier, context: Context, config: PropagationConfig) -> None:
    """Write the fields and the baggage of `context` where the caller has written none of them."""
    listed: list[str] = []
    for field in config.fields:
        value = outgoing(field.name, context, config)
        if value is not None:
            carrier.add(field.wire_names[0], value)
            listed.append(f"{field.name}={value}")
    if config.baggage == "off":
        return
    # Without `origin` each of ours is in the baggage too, and where there is no more, there is nothing foreign.
    if len(baggage_of(context)) > len(listed) or config.has_origin:
        listed += members.limited([raw for _, raw in _foreign(context, config)])
    if listed:
        carrier.add(members.HEADER, ",".join(listed))


def remove_fields(carrier: Carrier, context: Context, config: PropagationConfig, url: str | bytes = "") -> None:
    """Take out what `add_fields` would have written, and our fields whoever wrote them; `url` is as there."""
    found = carrier.find(config.names_written)
    signed = signed_names(found, url)
    for name in found.keys() & config.wire_names - signed:
        carrier.remove(name)
    if members.HEADER in found and members.HEADER not in signed:
        _write_baggage(carrier, found, list(_strangers(found[members.HEADER], context, config)))


def _strangers(written: list[str], context: Context, config: PropagationConfig) -> Iterator[str]:
    """The members that somebody else wrote for this call: neither ours, nor what came in with the request."""
    came = members.split_all(raw for _, raw in _foreign(context, config))
    passed_on = {*came, *map(members.rewritten, came)}
    for member in members.split_all(written):
        key = members.key_of(member)
        if key not in config.by_name and (member not in passed_on or key.startswith(_WRITTEN_BY_SENTRY)):
            yield member


def _value(
    field: RemoteField, found: Found, written: list[str], context: Context, config: PropagationConfig
) -> str | None:
    """The value that leaves: of the caller's own header, else of the caller's own member, else of the context."""
    for name in field.wire_names:
        if name in found:
            return _agreed(field, each_value(found[name]))
    if written and config.baggage != "off":
        # Members that say nothing good do not stay, unlike such a header: if they counted, a second writer would find
        # none.
        own = [members.value_of(one) or "" for one in written if members.key_of(one) == field.name]
        if (said := _agreed(field, own)) is not None:
            return said
    return outgoing(field.name, context, config)


def _agreed(field: RemoteField, sent: Sequence[str]) -> str | None:
    """The one good value that was sent, None where there is no such."""
    value, objection = field.agreed(sent)
    return value if objection is None else None


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
