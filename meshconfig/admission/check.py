"""Judges one resource as the API server and Istio's webhook do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from meshconfig.admission.destination_rule import check_destination_rule
from meshconfig.admission.gateway import check_gateway, check_gateway_name
from meshconfig.admission.metadata import check_metadata
from meshconfig.admission.parts import Part, part
from meshconfig.admission.refusals import At, Kind, Refusal, Refusals
from meshconfig.admission.repair import Consequences, repaired
from meshconfig.admission.schema import Node, table
from meshconfig.admission.service_entry import check_service_entry
from meshconfig.admission.sidecar import check_sidecar
from meshconfig.admission.telemetry import check_telemetry
from meshconfig.admission.virtual_service import check_virtual_service
from meshconfig.admission.words import listed, unknown_field

_SPEC: At = (None, "spec")
_METADATA: At = (None, "metadata")

# By API group and kind.
_RULES: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "networking.istio.io": {
        "VirtualService": check_virtual_service,
        "DestinationRule": check_destination_rule,
        "Gateway": check_gateway,
        "ServiceEntry": check_service_entry,
        "Sidecar": check_sidecar,
    },
    "telemetry.istio.io": {"Telemetry": check_telemetry},
}


# The groups' kinds that are not judged here.
_OTHERS = ("EnvoyFilter", "ProxyConfig", "WorkloadEntry", "WorkloadGroup")


def is_checked(manifest: Any) -> bool:
    """Whether a manifest is of a kind that is known here, or of none that Istio has in its group."""
    if not isinstance(manifest, Mapping) or manifest.get("kind") in _OTHERS:
        return False
    return _group(manifest) in _RULES


def _group(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("apiVersion", "")).partition("/")[0]


def check(manifest: Mapping[str, Any], namespace: str) -> list[Refusal]:
    """Everything for which a resource would be refused, in no order.

    Parameters:
        manifest: a resource of which `is_checked` is true, as YAML gave it.
        namespace: the resource's namespace, with the default where it names none.
    """
    kind, known = str(manifest["kind"]), _RULES[_group(manifest)]
    if kind not in known:
        return [Refusal(Kind.BAD_VALUE, ("kind",), f"Istio has no kind {kind!r}{_nearest(kind, known)}")]
    rules = Refusals()
    if not (shape := _shape(manifest, kind)):
        _check_rules(manifest, known[kind], namespace, rules)
        return rules.found
    _check_rules(repaired(table().resource(kind), manifest, shape), known[kind], namespace, rules)
    consequences = Consequences(shape)
    return shape + [one for one in rules.found if one not in consequences]


def _shape(manifest: Mapping[str, Any], kind: str) -> list[Refusal]:
    """What the schema refuses: fields, types and the version."""
    schema: Node = table().resource(kind)
    out = Refusals()
    schema(manifest, None, out)
    _check_version(manifest, kind, out)
    return [_worded(one, schema, manifest) for one in out.found]


def _nearest(kind: str, rules: Iterable[str]) -> str:
    known = {one.lower(): one for one in (*rules, *_OTHERS)}
    close = get_close_matches(kind.lower(), known, n=1)
    return f"; did you mean {known[close[0]]}?" if close else ""


def _worded(refusal: Refusal, schema: Node, manifest: Part) -> Refusal:
    if refusal.kind is not Kind.UNKNOWN_FIELD:
        return refusal
    return replace(refusal, message=unknown_field(schema, manifest, refusal.path))


def _check_version(manifest: Mapping[str, Any], kind: str, out: Refusals) -> None:
    versions = table().kinds[kind]["versions"]
    if (version := str(manifest["apiVersion"]).partition("/")[2]) not in versions:
        out.add(
            Kind.BAD_VALUE, (None, "apiVersion"), f"{kind} has the versions {listed(versions, 'and')}, not {version!r}"
        )


def _check_rules(manifest: Part, rule: Callable[..., None], namespace: str, out: Refusals) -> None:
    metadata, spec = part(manifest, "metadata"), part(manifest, "spec")
    check_metadata(metadata, _METADATA, out)
    if rule is check_gateway:
        check_gateway_name(metadata.get("name") or "", (_METADATA, "name"), out)
    further = {"labels": part(metadata, "labels")} if rule is check_service_entry else {}
    rule(spec, _SPEC, out, namespace=namespace, **further)
