"""The document of a group that import has found: a LaneGroup as plain values, tidy, in the order of docs/spec.md."""

from collections.abc import Mapping
from typing import Any

from meshconfig.compile.services import istio_fields
from meshconfig.importing.entries import reduced
from meshconfig.importing.group import Entry, Found, Rule, Service
from meshconfig.importing.lanes import baseline, fallback, mode, versions
from meshconfig.importing.tag import DEFAULT
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Condition, Named, StringMatch
from meshconfig.spec import API_VERSION

Value = dict[str, Any]
PROD = "prod"  # what a spec takes for the baseline where it names none


def document(found: Found, name: str, namespace: str) -> Value:
    """The LaneGroup of a group.

    Parameters:
        name, namespace: the group's.
    """
    base = baseline(found)
    lanes = sorted({*found.lanes, base}, key=lambda lane: (lane != base, lane))
    return {
        "apiVersion": API_VERSION,
        "kind": "LaneGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            **_tag(found, base),
            **({"trail": True} if found.trail else {}),
            "lanes": {lane: _lane(found, lane) for lane in lanes},
            "services": {one.name: _service(one, base, namespace, found) for one in _sorted(found.services)},
            **({"entries": [_entry(one, found, base) for one in found.entries]} if found.entries else {}),
        },
    }


def _sorted(services: Mapping[ServiceName, Service]) -> list[Service]:
    return sorted(services.values(), key=lambda one: one.name)


def _tag(found: Found, base: str) -> Value:
    tag: Value = {} if found.tag == DEFAULT and base == PROD and not found.baggage else {"header": found.tag}
    if tag or base != PROD:
        tag["default"] = base
    if found.baggage:
        tag["baggage"] = True
    return {"tag": tag} if tag else {}


def _lane(found: Found, lane: str) -> Value:
    selected = dict(versions(found, lane))
    how = {"mode": (mode(found, lane), "permissive"), "fallback": (fallback(found, lane), "compiled")}
    return {
        **({"versions": selected} if selected else {}),
        **{name: value for name, (value, usual) in how.items() if value != usual},
    }


def _service(one: Service, base: str, namespace: str, found: Found) -> Value:
    own = one.key.namespace == namespace
    value: Value = {
        "host": one.key.name if own else f"{one.key.name}.{one.key.namespace}",
        "port": one.port,
        "versions": {name: _version(one, name) for name in sorted(one.versions)},
    }
    selected = one.lanes.get(base) or (base if base in one.versions else None)
    if one.default is None and one.weights:
        value["weights"] = dict(one.weights)
    elif one.default is not None and (one.default != selected or dict(versions(found, base)).get(one.name)):
        value["default"] = one.default
    if one.rules:
        value["rules"] = [_rule(rule) for rule in one.rules]
    if one.mirror:
        version, percent = one.mirror
        share = {"percent": int(percent) if percent.is_integer() else percent} if percent != 100 else {}
        value["mirror"] = {"version": version, **share}
    if one.policy:
        value["policy"] = istio_fields(one.policy)
    if one.traffic_policy:
        value["trafficPolicy"] = istio_fields(one.traffic_policy)
    return value


def _version(one: Service, name: str) -> Value:
    workload, labels = one.workloads.get(name), one.fallback_labels.get(name)
    return {
        "labels": dict(sorted(one.versions[name].items())),
        **({"workload": workload} if workload and workload != f"{one.name}-{name}" else {}),
        **({"fallbackLabels": dict(labels)} if labels else {}),
    }


def _rule(rule: Rule) -> Value:
    return {"match": match(rule.condition), "weights": dict(rule.weights)}


def match(condition: Condition) -> Value:
    """The `match` of a condition; `{path: {prefix: /}}` for one that every request meets."""
    found: Value = {
        "headers": _strings(condition.headers),
        "query": _strings(condition.query),
        "claims": _strings(condition.claims),
    }
    value = {name: part for name, part in found.items() if part}
    if condition.path:
        value["path"] = _path(condition.path)
    if condition.method:
        value["method"] = condition.method
    return value or {"path": {"prefix": "/"}}


def _strings(matches: Named) -> Value:
    return {name: _string(one) for name, one in matches}


def _string(one: StringMatch) -> Any:
    if one.kind == "present":
        return {"present": True}
    return one.value if one.kind == "exact" else {one.kind: one.value}


def _path(one: StringMatch | None) -> Value:
    return {one.kind: one.value} if one else {"prefix": "/"}


def _entry(one: Entry, found: Found, base: str) -> Value:
    split = {**one.split, **({} if base in one.split else {base: 0})} if one.split else None
    return {
        "hosts": list(one.hosts),
        "gateway": {"use": one.gateway, **({"listener": one.listener} if one.listener else {})},
        **({"tag": "untrusted"} if one.untrusted else {}),
        **({"baggage": "keep"} if one.keep else {}),
        **(
            {"admit": [{"lane": lane, "match": match(condition)} for lane, condition in one.admit]} if one.admit else {}
        ),
        **({"split": reduced_or_zero(split)} if split else {}),
        "routes": [
            {
                "path": _path(route.path),
                **({"method": route.method} if route.method else {}),
                "service": found.services[route.service].name,
                **({"rewrite": route.rewrite} if route.rewrite is not None else {}),
            }
            for route in one.routes
        ],
    }


def reduced_or_zero(split: Mapping[str, int]) -> Value:
    """A split in percent where it can be said so, with its shares of 0."""
    small = reduced(split)
    total = sum(small.values())
    scale = 100 // total if 100 % total == 0 else 1
    return {lane: small.get(lane, 0) * scale for lane in sorted(split)}
