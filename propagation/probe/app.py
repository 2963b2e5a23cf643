"""Does an app carry the tag? Three requests, two lanes and none, and what is wrong with how they went."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from propagation import members
from propagation.config import PropagationConfig
from propagation.context import get, outgoing
from propagation.errors import PropagationError
from propagation.fields import RemoteField
from propagation.probe.drive import Outcome, Request, send_all
from propagation.probe.recorder import Call


class Tried(NamedTuple):
    """One request: the tag it was sent with, how it went, and what is wrong with that, a line each."""

    value: str | None
    outcome: Outcome
    wrong: list[str]


def try_app(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    field: str | None = None,
    config: PropagationConfig,
    reply: bytes = b"{}",
    timeout: float = 30.0,
) -> list[Tried]:
    """Send two values of a field (default: the tag) and then none, and judge each by `config`.

    Raises PropagationError for what is no app, for an app that does not start, and for a field that is not remote.
    """
    one = _field(field or config.tag, config)
    values = (*values_of(one), None)
    requests = [
        Request(method, path, {**(headers or {}), **({one.wire_names[0]: value} if value else {})}, body, timeout)
        for value in values
    ]
    outcomes = send_all(app, requests, reply)
    return [
        Tried(value, outcome, list(_wrong(one, value, outcome, config)))
        for value, outcome in zip(values, outcomes, strict=True)
    ]


def values_of(field: RemoteField) -> tuple[str, ...]:
    """Two values that the field takes, or the one that there is."""
    return tuple(sorted(field.allowed)[:2]) if field.allowed else ("gray", "prod")


def _field(name: str | None, config: PropagationConfig) -> RemoteField:
    if name is None or name not in config.by_name:
        raise PropagationError(f"{name!r} is not a remote field; there are {', '.join(config.by_name) or 'none'}")
    return config.by_name[name]


def _wrong(field: RemoteField, value: str | None, outcome: Outcome, config: PropagationConfig) -> Iterator[str]:
    sent = f"{field.name}: {value}" if value else f"no {field.name}"
    expected = value if config.trust_inbound else None
    seen = [outgoing(field.name, context, config) for context in outcome.attached]
    for call in outcome.calls:
        if reason := _wrong_call(field, expected, call, config):
            yield f"{sent} → {call.method} {call.url} {reason}"
    if expected and expected not in seen and not any(call.values(field.wire_names[0]) for call in outcome.calls):
        yield f"{sent} → the app did not read it; is its middleware there, and does it take this value?"
    if outcome.after is not outcome.before and get(field.name, outcome.after) != get(field.name, outcome.before):
        yield f"{sent} → {field.name} is still {get(field.name, outcome.after)!r} after the request"
    if outcome.status is None and not outcome.calls:
        yield f"{sent} → the app did not answer: {outcome.error!r}"


def _wrong_call(field: RemoteField, expected: str | None, call: Call, config: PropagationConfig) -> str | None:
    host = urlsplit(call.url).hostname
    found = [*call.values(field.wire_names[0])]
    listed = members.split_all(call.values(members.HEADER))
    carried = [members.value_of(member) for member in listed if members.key_of(member) == field.name]
    if not config.allows(host):
        return f"carries {field.name} to a host that is not allowed" if found or carried else None
    if found == ([expected] if expected else []):
        return None if expected or not carried else f"carries {field.name}={carried[0]} in baggage"
    if not found:
        return "went out without it" + (", but for baggage" if carried else "")
    return f"carries {field.name}: {', '.join(found)}"
