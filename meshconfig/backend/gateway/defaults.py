"""Resources as the API server stores them: with what it fills in, so that they compare equal with what it returns.

Source: the defaults in Gateway API's CRDs (v1.4 to v1.6), and Kubernetes, core/v1 ServicePort.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meshconfig.backend.gateway.names import API
from meshconfig.backend.manifest import Manifest

_COMPARED = ("HTTPRoute", "GRPCRoute", "Gateway", "ReferenceGrant", "Service")
_ANY_PATH: Manifest = {"type": "PathPrefix", "value": "/"}
_SERVICE: Manifest = {"group": "", "kind": "Service"}
_FOUND = 302  # a redirect's status code
_PREFLIGHT = 5  # seconds: maxAge of a CORS filter


def stored(manifest: Manifest) -> Manifest:
    """The resource with all defaults. Kinds that graylane writes without any are as they are."""
    spec: Mapping[str, Any] = manifest.get("spec") or {}
    kind = manifest["kind"]
    if kind == "Service":
        return {**manifest, "spec": {**spec, "ports": [_port(one) for one in spec.get("ports") or ()]}}
    if kind in ("HTTPRoute", "GRPCRoute"):
        rules = [_rule(one, grpc=kind == "GRPCRoute") for one in spec.get("rules") or ()]
        parents = [{"group": API, "kind": "Gateway", **one} for one in spec.get("parentRefs") or ()]
        return {**manifest, "spec": {**spec, "parentRefs": parents, "rules": rules}}
    if kind == "Gateway" and str(manifest["apiVersion"]).startswith(API):
        return {**manifest, "spec": {**spec, "listeners": [_listener(one) for one in spec.get("listeners") or ()]}}
    return manifest


def is_stored(made: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether an API server has a resource of the Gateway API, or a Service, as it was made, and no other fields of it.

    Parameters:
        made: as it is written. live: as the API server returns it, of the same kind and name.
    """
    if made["kind"] not in _COMPARED:
        return False
    one, other = (stored(each).get("spec") or {} for each in (dict(made), dict(live)))
    # Addresses and policies of a Service are filled in by the cluster.
    return one.items() <= other.items() if made["kind"] == "Service" else one == other


def _port(one: Mapping[str, Any]) -> Manifest:
    return {"protocol": "TCP", "targetPort": one["port"], **one}


def _rule(rule: Mapping[str, Any], *, grpc: bool) -> Manifest:
    found = dict(rule)
    if not grpc:
        matches: Sequence[Manifest] = rule.get("matches") or ({},)
        found["matches"] = [{"path": _ANY_PATH, **one} for one in matches]
    if "matches" in found:
        found["matches"] = [_match(one) for one in found["matches"]]
    if "backendRefs" in rule:
        found["backendRefs"] = [_backend(one) for one in rule["backendRefs"]]
    if "filters" in rule:
        found["filters"] = [_filter(one) for one in rule["filters"]]
    return found


def _match(match: Mapping[str, Any]) -> Manifest:
    found = dict(match)
    for name in ("headers", "queryParams"):
        if name in match:
            found[name] = [{"type": "Exact", **one} for one in match[name]]
    if "method" in match and isinstance(match["method"], Mapping):
        found["method"] = {"type": "Exact", **match["method"]}
    if "path" in match:
        found["path"] = {**_ANY_PATH, **match["path"]}
    return found


def _backend(one: Mapping[str, Any]) -> Manifest:
    found = {**_SERVICE, "weight": 1, **one}
    if "filters" in one:
        found["filters"] = [_filter(each) for each in one["filters"]]
    return found


def _filter(one: Mapping[str, Any]) -> Manifest:
    found = dict(one)
    if redirect := one.get("requestRedirect"):
        found["requestRedirect"] = {"statusCode": _FOUND, **redirect}
    if mirror := one.get("requestMirror"):
        found["requestMirror"] = {**mirror, "backendRef": {**_SERVICE, **mirror["backendRef"]}}
        if "fraction" in mirror:
            found["requestMirror"]["fraction"] = {"denominator": 100, **mirror["fraction"]}
    if cors := one.get("cors"):
        found["cors"] = {"maxAge": _PREFLIGHT, **cors}
    return found


def _listener(one: Mapping[str, Any]) -> Manifest:
    found = {"allowedRoutes": {"namespaces": {"from": "Same"}}, **one}
    if tls := one.get("tls"):
        refs = [{"group": "", "kind": "Secret", **each} for each in _each(tls.get("certificateRefs"))]
        found["tls"] = {"mode": "Terminate", **tls, **({"certificateRefs": refs} if refs else {})}
    return found


def _each(items: Iterable[Mapping[str, Any]] | None) -> Iterable[Mapping[str, Any]]:
    return items or ()
