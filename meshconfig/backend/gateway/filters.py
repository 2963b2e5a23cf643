"""What an HTTPRoute does to requests: filters, time-outs, backends. Source: Gateway API, HTTPRouteRule."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from meshconfig.backend.gateway.matches import Path
from meshconfig.backend.gateway.names import ISTIO, service_of, version_service
from meshconfig.backend.istio.virtual_service import HOST, SET_COOKIE, format_escaped, removed_names, tag_values
from meshconfig.backend.manifest import Manifest
from meshconfig.backend.refused import UnsupportedError
from meshconfig.istio.hosts import service_name
from meshconfig.model import TRAIL, Name, Route, SetTag, Target

BACKENDS, GREATEST_WEIGHT = 16, 1_000_000
KEPT = "gateway"  # in the fields of a live rule's route or target: what graylane does not know of it


def header_filters(headers: Mapping[str, Any]) -> list[Manifest]:
    """The filters for Istio's `headers`, with `request` and `response` operations."""
    named = (("RequestHeaderModifier", "request"), ("ResponseHeaderModifier", "response"))
    return [
        {"type": kind, kind[0].lower() + kind[1:]: changed}
        for kind, part in named
        if (changed := _operations(headers.get(part) or {}))
    ]


def _operations(given: Mapping[str, Any]) -> Manifest:
    found: Manifest = {}
    for name in ("set", "add"):
        if pairs := given.get(name):
            found[name] = [{"name": header, "value": value} for header, value in pairs.items()]
    if removed := given.get("remove"):
        found["remove"] = list(removed)
    return found


def joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> Manifest:
    """Header operations of a rule and of its only backend as one."""
    found: Manifest = {}
    for part in ("request", "response"):
        ours, theirs = one.get(part) or {}, other.get(part) or {}
        changed = {name: {**(ours.get(name) or {}), **(theirs.get(name) or {})} for name in ("set", "add")}
        removed = list(dict.fromkeys([*(ours.get("remove") or ()), *(theirs.get("remove") or ())]))
        operations = {name: value for name, value in (*changed.items(), ("remove", removed)) if value}
        if operations:
            found[part] = operations
    return found


def target_headers(target: Target, tag: str, *, authority: bool) -> Manifest:
    """What a target does to headers, as Istio's `headers`.

    Parameters:
        tag: the name of the tag's header.
        authority: set the host that a request leaves the mesh with; otherwise the rule rewrites it.
    """
    request: Manifest = {}
    response: Manifest = {}
    if isinstance(target.tag, SetTag):
        request["set"] = dict(tag_values(target.tag, tag))
    elif target.tag is not None:
        request["remove"] = list(removed_names(target.tag, tag))
    if target.authority:
        if authority:
            request["set"] = {HOST: target.authority, **request.get("set", {})}
        request["remove"] = [TRAIL, *request.get("remove", ())]
        response["remove"] = [TRAIL]
    added = {TRAIL: target.trail, SET_COOKIE: format_escaped(target.set_cookie)}
    if told := {name: value for name, value in added.items() if value}:
        response["add"] = told
    return {**({"request": request} if request else {}), **({"response": response} if response else {})}


def backend(target: Target, namespace: str) -> Manifest:
    """The reference to what a target leads to: a version's Service, any other Service, or a host outside."""
    if service_name(target.host) is None:
        return {"group": ISTIO, "kind": "Hostname", "name": target.host, "port": target.port}
    name = version_service(target.host, target.subset) if target.subset else Name(*reversed(service_of(target.host)))
    return reference(name, target.port, namespace)


def reference(name: Name, port: int | None, namespace: str) -> Manifest:
    """The reference to a Service, from a route in a namespace."""
    other = {"namespace": name.namespace} if name.namespace != namespace else {}
    return {"name": name.name, **other, **({"port": port} if port else {})}


def weights(route: Route) -> list[int]:
    """The weights of a route's targets, as small as Gateway API wants them.

    Raises:
        UnsupportedError: more backends than a rule may have, or weights too far apart.
    """
    if len(route.targets) > BACKENDS:
        message = (
            f"needs {len(route.targets)} backends, and a rule of the Gateway API has at most {BACKENDS}: "
            "take fewer buckets or fewer versions with weights"
        )
        raise UnsupportedError(route, message)
    given = [1 if one.weight is None else one.weight for one in route.targets]
    divisor = math.gcd(*given) if max(given, default=0) > GREATEST_WEIGHT else 1
    found = [weight // (divisor or 1) for weight in given]
    if max(found, default=0) > GREATEST_WEIGHT:
        raise UnsupportedError(route, f"a weight is at most {GREATEST_WEIGHT} in Gateway API: write smaller ones")
    return found


def mirrors(route: Route, namespace: str) -> Iterator[Manifest]:
    """The filters that copy requests, for the `mirrors` of a route."""
    for one in route.fields.get("mirrors") or ():
        given = one["destination"]
        target = Target(given["host"], (given.get("port") or {}).get("number"), given.get("subset") or "")
        copied: Manifest = {"backendRef": backend(target, namespace)}
        share = Fraction(str((one.get("percentage") or {}).get("value", 100))) / 100
        if share.denominator in (1, 2, 4, 5, 10, 20, 25, 50, 100):
            copied["percent"] = int(share * 100)
        else:
            copied["fraction"] = {"numerator": share.numerator, "denominator": share.denominator}
        yield {"type": "RequestMirror", "requestMirror": copied}


def redirect(given: Mapping[str, Any]) -> Manifest:
    """The filter of a link's redirect."""
    found = {"path": {"type": "ReplaceFullPath", "replaceFullPath": given["uri"]}, "statusCode": given["redirectCode"]}
    return {"type": "RequestRedirect", "requestRedirect": found}


def rewrite(route: Route, path: Path) -> Manifest:
    """The filter that replaces the path of requests with this match; empty where the path stays.

    Raises:
        UnsupportedError: Gateway API replaces whole paths and whole elements of a path.
    """
    value = route.rewrite
    own = [one.path for one in route.conditions if one.path]
    if value is None or (value == "/" and not own):
        return {}
    prefix = next((one.value for one in own if one.kind == "prefix"), None)
    if path.kind == "exact":
        return {"type": "ReplaceFullPath", "replaceFullPath": value + path.value.removeprefix(prefix or path.value)}
    if prefix and path.kind == "elements" and value.endswith("/"):
        rest = f"{path.value}/".removeprefix(prefix)
        return {"type": "ReplacePrefixMatch", "replacePrefixMatch": value + rest}
    raise UnsupportedError(
        route, f"a rewrite of {prefix or '/'} beside a match on the path {path.value} cannot be said: match other paths"
    )
