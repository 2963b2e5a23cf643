"""What OpenTelemetry's propagators do with the tag, tried out."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.context import Context

from propagation import members
from propagation.config import PropagationConfig
from propagation.context import outgoing, use
from propagation.doctor.finding import LOST, NOTE, OK, Finding, UsageError
from propagation.fields import RemoteField
from propagation.probe.app import values_of

_PROPAGATORS = "OTEL_PROPAGATORS"
_ADVISED = "tracecontext,baggage,remote_fields"


def findings(config: PropagationConfig) -> Iterator[Finding]:
    """What is lost on the way through them, what is rewritten, and where they do nothing. Raises UsageError."""
    textmap, name = _textmap(), _name()
    field = config.by_name[config.tag or ""]
    passed, written = _passed(textmap), _written(textmap, field)
    has_header = field.wire_names[0] in written
    lost = list(_lost(textmap, field, config, name))
    if "doctor=1" not in passed:
        yield Finding(LOST, f"{name}: baggage is lost where OpenTelemetry carries it; set {_PROPAGATORS}={_ADVISED}")
    elif not has_header and config.allowed_hosts is None:
        yield Finding(
            NOTE,
            f"{name}: OpenTelemetry's own clients send the tag in baggage alone, and its middleware inside ours begins "
            f"without it; {_PROPAGATORS}={_ADVISED} cures both",
        )
    elif has_header and not lost:
        yield Finding(OK, f"{name}: the tag goes as header and in baggage")
    yield from lost
    if has_header and "doctor=1" in passed and ";ttl=5" not in passed:
        yield Finding(
            NOTE, "members of baggage that are not declared are rewritten on their way; list remote_fields last"
        )
    if config.allowed_hosts is not None and f"{field.name}=" in written.get(members.HEADER, ""):
        yield Finding(NOTE, "OpenTelemetry's own clients send baggage to every host; ours keep to allowed_hosts")
    for variable, urls in sorted(os.environ.items()):
        if variable.startswith("OTEL_PYTHON_") and variable.endswith("EXCLUDED_URLS"):
            yield Finding(NOTE, f"{variable}={urls}: there OpenTelemetry neither reads nor writes; ours does")


def _lost(textmap: Any, field: RemoteField, config: PropagationConfig, name: str) -> Iterator[Finding]:
    """Where the tag is read from its header, but not where a request brings it in `baggage` as well."""
    header, (value, *others) = field.wire_names[0], values_of(field)

    def reads(headers: Mapping[str, str]) -> bool:
        return outgoing(field.name, textmap.extract(dict(headers), Context()), config) == value

    if not config.trust_inbound or not reads({header: value}):
        return
    if not reads({header: value, members.HEADER: f"{field.name}={others[-1] if others else ''}"}):
        cause = "its header and its baggage differ: baggage is read after the header and takes its place"
        cure = f"list remote_fields last: {_PROPAGATORS}={_ADVISED}"
        yield Finding(LOST, f"{name}: the tag of a request is lost where {cause}; {cure}")


def _passed(textmap: Any) -> str:
    """What becomes of a `baggage` of others that passes through."""
    sent: dict[str, str] = {}
    textmap.inject(sent, textmap.extract({members.HEADER: "doctor=1;ttl=5"}, Context()))
    return sent.get(members.HEADER, "")


def _textmap() -> Any:
    try:
        from opentelemetry.propagate import get_global_textmap
    except ValueError as error:
        raise UsageError(f"{_PROPAGATORS}: {error}") from None
    return get_global_textmap()


def _name() -> str:
    setting = os.environ.get(_PROPAGATORS)
    return f"{_PROPAGATORS}={setting}" if setting is not None else f"{_PROPAGATORS} is not set"


def _written(textmap: Any, field: RemoteField) -> dict[str, str]:
    """The headers that the tag gets."""
    sent: dict[str, str] = {}
    with use(Context(), **{field.name: values_of(field)[0]}) as context:
        textmap.inject(sent, context)
    return sent
