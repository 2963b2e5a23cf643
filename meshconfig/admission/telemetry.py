"""Telemetries, as Istio's webhook judges them. The expressions in them are CEL, which is not read here.

Source: istio pkg/config/validation, validation.go (ValidateTelemetry).
"""

from meshconfig.admission.parts import Part, items, part
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.words import listed

_TARGETS = (
    ("Service", ("", "core")),
    ("ServiceEntry", ("networking.istio.io",)),
    ("Gateway", ("gateway.networking.k8s.io",)),
    ("GatewayClass", ("gateway.networking.k8s.io",)),
)


def check_telemetry(spec: Part, at: At, out: Refusals, *, namespace: str) -> None:
    if (target := spec.get("targetRef")) is not None:
        _check_target(target, (at, "targetRef"), out)
    for number, target in enumerate(items(spec, "targetRefs")):
        _check_target(target, ((at, "targetRefs"), number), out)
    for number, one in enumerate(items(spec, "metrics")):
        _check_metrics(one, ((at, "metrics"), number), out)
    for number, one in enumerate(items(spec, "tracing")):
        for name in part(one, "customTags"):
            if not name:
                out.bad(((((at, "tracing"), number), "customTags"), name), "a span's attribute needs a name")


def _check_target(target: Part, at: At, out: Refusals) -> None:
    kind, group = target.get("kind") or "", target.get("group") or ""
    if kind and not any(kind == known and group in groups for known, groups in _TARGETS):
        known = [f"{name} ({groups[0] or 'core'})" for name, groups in _TARGETS]
        out.bad(at, f"takes {listed(known)}, not {kind} ({group or 'core'})")


def _check_metrics(metrics: Part, at: At, out: Refusals) -> None:
    for number, override in enumerate(items(metrics, "overrides")):
        for name, one in part(override, "tagOverrides").items():
            here = ((((at, "overrides"), number), "tagOverrides"), name)
            _check_tag(one or {}, here, out)


def _check_tag(override: Part, at: At, out: Refusals) -> None:
    removes, value = override.get("operation") == "REMOVE", override.get("value")
    if removes and value is not None:
        out.contradiction((at, "value"), "operation: REMOVE takes no value: delete one of the two")
    if not removes and not value:
        out.missing(at, "value is missing: a CEL expression, as in value: request.host")
