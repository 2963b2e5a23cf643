"""VirtualServices: one per mesh host, one per entry. Source: Istio, networking/v1 VirtualService."""

from typing import Any

from meshconfig.model import Condition, Entry, Model, Named, Route, Service, SetTag, TagChange, Target, Text
from meshconfig.render.common import IstioApi, Manifest, istio

CLAIM = "@request.auth.claims."
REFUSED = 503


def mesh(service: Service, model: Model, api: IstioApi) -> Manifest:
    """How the service is reached from other services."""
    spec = {"hosts": [service.host], "gateways": ["mesh"], "http": [_route(one, model.tag) for one in service.routes]}
    return istio("VirtualService", model, service.resource, service.namespace, spec, api)


def entry(one: Entry, model: Model, api: IstioApi) -> Manifest:
    """How outside traffic reaches the group at a gateway."""
    spec = {
        "hosts": list(one.hosts),
        "gateways": [one.gateway],
        "http": [_route(route, model.tag) for route in one.routes],
    }
    return istio("VirtualService", model, one.resource, one.namespace, spec, api)


def _route(route: Route, tag: str) -> Manifest:
    spec: Manifest = {"name": route.name}
    if route.conditions:
        spec["match"] = [_match(condition) for condition in route.conditions]
    if route.refusal:
        return {**spec, "directResponse": {"status": REFUSED, "body": {"string": route.refusal}}}
    if route.rewrite is not None:
        spec["rewrite"] = {"uri": route.rewrite}
    alone = len(route.targets) == 1
    spec["route"] = [_destination(target, tag, alone) for target in route.targets]
    return {**spec, **route.policy}


def _match(condition: Condition) -> Manifest:
    headers = {**_strings(condition.headers), **_strings(condition.claims, prefix=CLAIM)}
    parts: Manifest = {
        "uri": _string(condition.path) if condition.path else None,
        "method": {"exact": condition.method} if condition.method else None,
        "headers": headers,
        "withoutHeaders": {name: {} for name in condition.absent},
        "queryParams": _strings(condition.query),
    }
    return {name: part for name, part in parts.items() if part}


def _strings(named: Named, prefix: str = "") -> dict[str, Any]:
    return {prefix + name: _string(text) for name, text in named}


def _string(text: Text) -> Manifest:
    return {} if text.kind == "present" else {text.kind: text.value}


def _destination(target: Target, tag: str, alone: bool) -> Manifest:
    destination: Manifest = {
        "destination": {"host": target.host, "port": {"number": target.port}, "subset": target.subset}
    }
    if not alone:
        destination["weight"] = target.weight
    if target.tag is not None:
        destination["headers"] = {"request": _change(target.tag, tag)}
    return destination


def _change(change: TagChange, tag: str) -> Manifest:
    return {"set": {tag: change.value}} if isinstance(change, SetTag) else {"remove": [tag]}
