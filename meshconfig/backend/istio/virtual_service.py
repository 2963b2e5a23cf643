"""VirtualServices and route tables. Source: Istio, networking/v1 VirtualService.

`lift` reads what `lower` writes and keeps all other fields: `lower(lift(manifest), owner) == manifest` for every
VirtualService that the API server accepts.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from meshconfig.backend.istio.route_names import route_id, route_name
from meshconfig.backend.manifest import Manifest, Owner, rest
from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.baggage import member
from meshconfig.model import (
    TRAIL,
    Condition,
    Name,
    Named,
    RemoveTag,
    Route,
    RouteTable,
    SetTag,
    StringMatch,
    TagChange,
    Target,
    named,
)

CLAIM = "@request.auth.claims."
HOST = "host"  # Istio makes a rewrite of the authority of this header, so that each of several targets can have its own
REFUSED = 503
SET_COOKIE = "set-cookie"


def lower(table: RouteTable, owner: Owner) -> Manifest:
    """The VirtualService of a route table."""
    spec: Manifest = {"hosts": list(table.hosts), "gateways": list(table.gateways)}
    if table.lifted is not None:
        spec = {name: value for name, value in spec.items() if value}
    if table.routes or table.lifted is None:
        spec["http"] = [_route(route, owner.tag) for route in table.routes]
    return owner.istio("VirtualService", table.name, spec, table.lifted)


def _route(route: Route, tag: str) -> Manifest:
    name = route_name(route.id)
    spec: Manifest = {"name": name} if name else {}
    if route.conditions:
        spec["match"] = [_match(condition) for condition in route.conditions]
    if route.refusal:
        return {**spec, "directResponse": _refusal(route.refusal), **route.fields}
    if route.rewrite is not None:
        spec["rewrite"] = {"uri": route.rewrite}
    if route.targets:
        spec["route"] = [_destination(target, tag) for target in route.targets]
    spec.update(route.fields)
    return spec


def _refusal(text: str) -> Manifest:
    return {"status": REFUSED, "body": {"string": text}}


def _match(condition: Condition) -> Manifest:
    spec: Manifest = {}
    if condition.path:
        spec["uri"] = _string(condition.path)
    if condition.method:
        spec["method"] = {"exact": condition.method}
    if condition.headers or condition.claims:
        spec["headers"] = {**_strings(condition.headers), **_strings(condition.claims, prefix=CLAIM)}
    if condition.absent:
        spec["withoutHeaders"] = _strings(condition.absent)
    if condition.query:
        spec["queryParams"] = _strings(condition.query)
    spec.update(condition.fields)
    return spec


def _strings(matches: Named, prefix: str = "") -> Manifest:
    return {prefix + name: _string(match) for name, match in matches}


def _string(match: StringMatch) -> Any:
    match match.kind:
        case "present":
            return {}
        case "other":
            return json.loads(match.value)
    return {match.kind: match.value}


def _destination(target: Target, tag: str) -> Manifest:
    destination: Manifest = {"host": target.host}
    if target.port is not None:
        destination["port"] = {"number": target.port}
    if target.subset:
        destination["subset"] = target.subset
    lowered: Manifest = {"destination": destination}
    if target.weight is not None:
        lowered["weight"] = target.weight
    further = dict(target.fields)
    destination.update(further.pop("destination", {}))
    if target.authority:
        further["headers"] = _with_authority(further.get("headers") or {}, target.authority)
    if target.tag is not None:
        further["headers"] = _with_tag(further.get("headers") or {}, target.tag, tag)
    added = {TRAIL: target.trail, SET_COOKIE: format_escaped(target.set_cookie)}
    if told := {name: value for name, value in added.items() if value}:
        further["headers"] = _with_response(further.get("headers") or {}, told)
    lowered.update(further)
    return lowered


def _with_tag(headers: Mapping[str, Any], change: TagChange, tag: str) -> Manifest:
    request = dict(headers.get("request") or {})
    if isinstance(change, SetTag):
        request = {**request, "set": {**tag_values(change, tag), **(request.get("set") or {})}}
    elif change is not None:
        request = {**request, "remove": [*removed_names(change, tag), *(request.get("remove") or ())]}
    return {**headers, "request": request}


def _with_authority(headers: Mapping[str, Any], authority: str) -> Manifest:
    """The operations of a destination outside the mesh: its host, and no trail goes out or comes in."""
    request, response = headers.get("request") or {}, headers.get("response") or {}
    changed = {**request, "set": {HOST: authority, **(request.get("set") or {})}}
    return {**headers, "request": _without_trail(changed), "response": _without_trail(response)}


def _without_trail(operations: Mapping[str, Any]) -> Manifest:
    return {**operations, "remove": [TRAIL, *(operations.get("remove") or ())]}


def tag_values(change: SetTag, tag: str) -> Mapping[str, str]:
    """The headers that a target sets, in the words of an Istio resource."""
    both = {BAGGAGE: format_escaped(member(tag, change.value))} if change.baggage else {}
    return {tag: change.value, **both}


def removed_names(change: RemoveTag, tag: str) -> tuple[str, ...]:
    """The headers that a target removes."""
    return (tag, BAGGAGE) if change.baggage else (tag,)


def format_escaped(value: str) -> str:
    """A header's value as Envoy reads it: `%` begins a format there."""
    return value.replace("%", "%%")


def _with_response(headers: Mapping[str, Any], told: Mapping[str, str]) -> Manifest:
    response = headers.get("response") or {}
    return {**headers, "response": {**response, "add": {**told, **(response.get("add") or {})}}}


def lift(manifest: Mapping[str, Any], tag: str) -> RouteTable:
    """The route table of a live VirtualService.

    Parameters:
        tag: the name of the tag's header.
    """
    spec = manifest.get("spec") or {}
    metadata = manifest["metadata"]
    read = [name for name in ("hosts", "gateways", "http") if spec.get(name)]
    return RouteTable(
        name=Name(metadata["namespace"], metadata["name"]),
        hosts=tuple(spec.get("hosts") or ()),
        gateways=tuple(spec.get("gateways") or ()),
        routes=tuple(_lifted_route(route, tag) for route in spec.get("http") or ()),
        lifted=rest(manifest, *read),
    )


def _lifted_route(route: Mapping[str, Any], tag: str) -> Route:
    fields = dict(route)
    name = fields.get("name") or ""
    refusal = _refusal_of(fields)
    rewrite = _rewrite_of(fields) if not refusal else None
    read = [part for part in ("name", "match", "route") if fields.get(part)]
    conditions = tuple(map(_lifted_condition, fields.get("match") or ()))
    targets = tuple(lifted_target(one, tag) for one in fields.get("route") or ())
    if refusal:
        read.append("directResponse")
        targets = ()
        read = [part for part in read if part != "route"]
    if rewrite is not None:
        read.append("rewrite")
    return Route(
        id=route_id(name),
        conditions=conditions,
        targets=targets,
        refusal=refusal,
        rewrite=rewrite,
        fields={part: value for part, value in fields.items() if part not in read},
    )


def _refusal_of(route: Mapping[str, Any]) -> str:
    """The text of a refusal; empty for a route with any other direct response or with none."""
    response = route.get("directResponse") or {}
    text = (response.get("body") or {}).get("string")
    return text if text and response == _refusal(text) else ""


def _rewrite_of(route: Mapping[str, Any]) -> str | None:
    rewrite = route.get("rewrite") or {}
    return rewrite["uri"] if set(rewrite) == {"uri"} else None


def _lifted_condition(match: Mapping[str, Any]) -> Condition:
    fields = dict(match)
    path = _lifted_string(fields.pop("uri")) if fields.get("uri") is not None else None
    asked = fields.get("method") or {}
    method = fields.pop("method")["exact"] if set(asked) == {"exact"} and asked["exact"] else None
    headers = dict(_lifted_strings(fields.pop("headers"))) if fields.get("headers") else {}
    absent = _lifted_strings(fields.pop("withoutHeaders")) if fields.get("withoutHeaders") else ()
    query = _lifted_strings(fields.pop("queryParams")) if fields.get("queryParams") else ()
    return Condition(
        path=path,
        method=method,
        headers=named({name: value for name, value in headers.items() if not name.startswith(CLAIM)}),
        query=named(dict(query)),
        claims=named({name.removeprefix(CLAIM): value for name, value in headers.items() if name.startswith(CLAIM)}),
        absent=named(dict(absent)),
        fields=fields,
    )


def _lifted_strings(matches: Mapping[str, Any]) -> Iterator[tuple[str, StringMatch]]:
    return ((name, _lifted_string(match)) for name, match in matches.items())


def _lifted_string(match: Any) -> StringMatch:
    if match == {}:
        return StringMatch("present")
    if isinstance(match, dict) and len(match) == 1:
        ((kind, value),) = match.items()
        if kind in ("exact", "prefix", "regex") and isinstance(value, str):
            return StringMatch(kind, value)
    return StringMatch("other", json.dumps(match, sort_keys=True))


def lifted_target(one: Mapping[str, Any], tag: str) -> Target:
    """The target of one of Istio's HTTPRouteDestinations.

    Parameters:
        tag: the name of the tag's header.
    """
    fields = dict(one)
    destination = dict(fields.pop("destination", None) or {})
    host, subset = destination.pop("host", ""), destination.get("subset") or ""
    if subset:
        del destination["subset"]
    port = destination.get("port") or {}
    number = port["number"] if set(port) == {"number"} else None
    if number is not None:
        del destination["port"]
    if destination:
        fields["destination"] = destination
    weight = fields.pop("weight", None)
    change, trail, authority = _take_tag(fields, tag), _take_added(fields, TRAIL), _take_authority(fields)
    cookie = _take_added(fields, SET_COOKIE, escaped=True)
    return Target(host, number, subset, weight, change, trail, cookie, fields, authority)


def _take_tag(fields: Manifest, tag: str) -> TagChange:
    """What a destination does to the tag's header and to baggage. It is removed from `fields`."""
    headers = fields.get("headers") or {}
    request = headers.get("request") or {}
    given, removed = request.get("set") or {}, request.get("remove") or []
    change: TagChange = None
    if tag in given:
        change = _set_tag(given, tag)
        ours = tag_values(change, tag)
        left = _without(request, "set", {name: value for name, value in given.items() if name not in ours})
    elif removed[:1] == [tag]:
        change = RemoveTag(baggage=removed[1:2] == [BAGGAGE])
        left = _without(request, "remove", removed[2 if change.baggage else 1 :])
    if change is not None:
        _put_headers(fields, _without(headers, "request", left))
    return change


def _set_tag(given: Mapping[str, Any], tag: str) -> SetTag:
    whole = SetTag(given[tag], baggage=True)
    return whole if given.get(BAGGAGE) == tag_values(whole, tag)[BAGGAGE] else SetTag(given[tag])


def _take_added(fields: Manifest, header: str, *, escaped: bool = False) -> str:
    """What a destination adds to responses in a header; empty for nothing. It is removed from `fields`.

    Parameters:
        escaped: the header is lowered by `format_escaped`. A value with a format of Envoy's stays in `fields`.
    """
    headers = fields.get("headers") or {}
    response = headers.get("response") or {}
    added = response.get("add") or {}
    given = str(added.get(header) or "")
    value = given.replace("%%", "%") if escaped else given
    if not value or (escaped and format_escaped(value) != given):
        return ""
    left = _without(response, "add", {name: one for name, one in added.items() if name != header})
    _put_headers(fields, _without(headers, "response", left))
    return value


def _take_authority(fields: Manifest) -> str:
    """The host of a destination outside the mesh; empty for any other. Its operations are removed from `fields`."""
    headers = fields.get("headers") or {}
    request, response = headers.get("request") or {}, headers.get("response") or {}
    given = request.get("set") or {}
    authority, removed = given.get(HOST), [list(one.get("remove") or ())[:1] for one in (request, response)]
    if not (isinstance(authority, str) and authority and removed == [[TRAIL], [TRAIL]]):
        return ""
    changed = _without(request, "set", {name: value for name, value in given.items() if name != HOST})
    for name, operations in (("request", changed), ("response", response)):
        headers = _without(headers, name, _without(operations, "remove", operations["remove"][1:]))
    _put_headers(fields, headers)
    return authority


def _put_headers(fields: Manifest, left: Manifest) -> None:
    if left:
        fields["headers"] = left
    else:
        del fields["headers"]


def _without(fields: Mapping[str, Any], name: str, left: Any) -> Manifest:
    return {key: (left if key == name else value) for key, value in fields.items() if key != name or left}
