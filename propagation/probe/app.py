"""Does an app carry the tag? Three requests, two lanes and none, and what is wrong with how they went."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from propagation import members
from propagation.config import PropagationConfig
from propagation.context import get, outgoing
from propagation.errors import PropagationError
from propagation.fields import RemoteField
from propagation.probe import asgi, wsgi
from propagation.probe.drive import Outcome, Request, TooSlow, Watch
from propagation.probe.interface import Interface, interface_of
from propagation.probe.recorder import Call


class Kind(Enum):
    """What is wrong: the tag is missing where it should be, it is where it must not be, or nothing could be shown."""

    LOST = "lost"
    LEAK = "LEAK"
    FAILED = "fail"


class Fault(NamedTuple):
    """One thing that is wrong, in a line."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


class Tried(NamedTuple):
    """One request: the tag it was sent with, how it went, and what is wrong with that."""

    value: str | None
    outcome: Outcome
    wrong: list[Fault]


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

    Where the app neither answers in time nor can be cancelled, the rest is not sent. Raises PropagationError for what
    is no app, for an app that does not start, and for a field that is not remote.
    """
    one = _field(field or config.tag, config)
    values = (*values_of(one), None)
    requests = [
        Request(method, path, {**(headers or {}), **({one.wire_names[0]: value} if value else {})}, body)
        for value in values
    ]
    outcomes = _send_all(app, requests, reply, timeout)
    tried = [
        Tried(value, outcome, list(_wrong(one, value, outcome, config)))
        for value, outcome in zip(values, outcomes, strict=False)
    ]
    tried[-1].wrong.extend(_shows_nothing(outcomes))
    return tried


def values_of(field: RemoteField) -> tuple[str, ...]:
    """Two values that the field takes, or the one that there is."""
    return tuple(sorted(field.allowed)[:2]) if field.allowed else ("gray", "prod")


def _field(name: str | None, config: PropagationConfig) -> RemoteField:
    if name is None or name not in config.by_name:
        raise PropagationError(f"{name!r} is not a remote field; there are {', '.join(config.by_name) or 'none'}")
    return config.by_name[name]


def _send_all(app: Any, requests: Sequence[Request], reply: bytes, seconds: float) -> list[Outcome]:
    is_asgi = interface_of(app) is Interface.ASGI
    watch = Watch(seconds, reply)
    if is_asgi:
        return watch.run(lambda: asgi.send_all(app, requests, watch, seconds))
    return watch.run(lambda: wsgi.send_all(app, requests, watch))


def _wrong(field: RemoteField, value: str | None, outcome: Outcome, config: PropagationConfig) -> Iterator[Fault]:
    sent = f"{field.name}: {value}" if value else f"no {field.name}"
    expected = value if config.trust_inbound else None
    seen = [outgoing(field.name, context, config) for context in outcome.attached]
    for call in outcome.calls:
        if fault := _wrong_call(field, expected, call, config):
            yield Fault(fault.kind, f"{sent} → {call.method} {call.url} {fault.text}")
    if expected and expected not in seen and not any(call.values(field.wire_names[0]) for call in outcome.calls):
        hint = "is its middleware there, and does it take this value?"
        yield Fault(Kind.LOST, f"{sent} → the app did not read it; {hint}")
    if outcome.after is not outcome.before and get(field.name, outcome.after) != get(field.name, outcome.before):
        still = f"{field.name} is still {get(field.name, outcome.after)!r} after the request"
        yield Fault(Kind.LEAK, f"{sent} → {still}")
    if failure := _failure(outcome):
        yield Fault(Kind.FAILED, f"{sent} → the app {failure}")


def _failure(outcome: Outcome) -> str | None:
    """How the app failed to answer, where that leaves nothing to judge. A connection that was closed may be why."""
    late = isinstance(outcome.error, TooSlow)
    if isinstance(outcome.error, TooSlow) and outcome.error.given_up:
        return f"{outcome.error} and could not be stopped; nothing was sent to it afterwards"
    if outcome.status is not None or outcome.calls or (outcome.unread and not late):
        return None
    return str(outcome.error) if late else f"did not answer: {outcome.error!r}"


def _shows_nothing(outcomes: list[Outcome]) -> Iterator[Fault]:
    """An app that refuses every request and calls nobody has not come to what is to be tried."""
    statuses = [outcome.status for outcome in outcomes]
    refused = all(status is not None and status >= 400 for status in statuses)
    if refused and not any(one.calls or one.unread for one in outcomes):
        shown = ", ".join(str(status) for status in dict.fromkeys(statuses))
        text = f"the app answered every request with an error ({shown}) and called nobody, so nothing is shown"
        yield Fault(Kind.FAILED, f"{text}; ask for a path that works")


def _wrong_call(field: RemoteField, expected: str | None, call: Call, config: PropagationConfig) -> Fault | None:
    host = urlsplit(call.url).hostname
    found = call.values(field.wire_names[0])
    listed = members.split_all(call.values(members.HEADER))
    carried = [members.value_of(member) for member in listed if members.key_of(member) == field.name]
    if not config.allows(host):
        there = f"carries {field.name} to a host that is not allowed"
        return Fault(Kind.LEAK, there) if found or carried else None
    if found == [expected] or not (found or expected or carried):
        return None
    if not found and expected:
        return Fault(Kind.LOST, "went out without it" + (", but for baggage" if carried else ""))
    if not found:
        return Fault(Kind.LEAK, f"carries {field.name}={carried[0]} in baggage")
    kind = Kind.LOST if set(found) == {expected} else Kind.LEAK
    return Fault(kind, f"carries {field.name}: {', '.join(found)}")
