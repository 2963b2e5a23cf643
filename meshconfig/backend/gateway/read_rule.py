"""Reads a rule of a live HTTPRoute or GRPCRoute as a route: the reverse of `http_route` and `filters`.

What graylane does not know of a rule stays in `fields[KEPT]` of the route, and of a backend in that of its target.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshconfig.backend.gateway.filters import KEPT
from meshconfig.backend.gateway.names import NO_ROUTE, refusing_service
from meshconfig.backend.gateway.read_match import condition, condition_of_grpc
from meshconfig.backend.istio.route_names import route_id
from meshconfig.backend.istio.virtual_service import HOST, lifted_target
from meshconfig.backend.manifest import Manifest
from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import TRAIL, Condition, Name, Route, RouteId, RouteKind, Target

Versions = Mapping[Name, tuple[str, str]]  # of a version's Service, the host of its service and the version's name
REFUSED = "refused"  # a proxy's own text is the answer, whatever the spec says
_MODIFIERS = {"RequestHeaderModifier": "request", "ResponseHeaderModifier": "response"}
_NUMBER = re.compile(r"(.+)\.[2-9][0-9]*|(.+)\.1[0-9]+")
_DOOR = re.compile(r"(cookie|link|bucket)\.(.*)")
_ANSWERS_500: Manifest = {"directResponse": {"status": 500}}


def route(rule: Mapping[str, Any], *, grpc: bool, table: Name, tag: str, versions: Versions) -> Route:
    """The route of a rule, with a condition for each of its matches, in their order.

    Parameters:
        table: the name of the route table.
        tag: the name of the tag's header.
    """
    action = _Action(rule, table, tag, versions)
    matches = rule.get("matches") or ()
    if grpc:
        conditions = tuple(condition_of_grpc(one) for one in matches)
    else:
        conditions = tuple(condition(one, rewritten=action.rewrite is not None) for one in matches)
    if action.rewrite is not None and any(one.fields for one in conditions):
        return action.opaque(conditions)
    return action.route(conditions)


def identity(name: str) -> RouteId:
    """The route that a rule's name stands for, the reverse of `RuleNames`. A lane is known by its condition."""
    if found := _NUMBER.fullmatch(name):
        name = found[1] or found[2]
    if name == NO_ROUTE:
        return RouteId(RouteKind.UNKNOWN, NO_ROUTE)
    if door := _DOOR.fullmatch(name):
        name = f"{door[1]}:{door[2].replace('.', ':', 1)}"
    return route_id(name.replace("lane.", "lane:", 1) if name.startswith("lane.") else name)


class _Action:
    """What a rule does, in the words of a route."""

    def __init__(self, rule: Mapping[str, Any], table: Name, tag: str, versions: Versions) -> None:
        self._rule, self._tag = rule, tag
        self._namespace, self._versions = table.namespace, versions
        refs: Sequence[Manifest] = rule.get("backendRefs") or ()
        refusing = [one.get("name") for one in refs] == [refusing_service(table).name]
        self._refused = refusing and rule.keys() <= {"name", "matches", "backendRefs"}
        filters: Sequence[Manifest] = rule.get("filters") or ()
        self._headers, rest = _taken_headers(filters)
        self._mirrors, rest = self._taken_mirrors(rest)
        self._hostname, self.rewrite, self._kept_filters = _taken_rewrite(rest, rule.get("matches") or ())
        self._refs = refs

    def opaque(self, conditions: tuple[Condition, ...]) -> Route:
        """The route with its whole rule kept as it is."""
        kept = {name: value for name, value in self._rule.items() if name not in ("name", "matches")}
        return Route(identity(self._rule.get("name") or ""), conditions, (), fields={KEPT: kept})

    def route(self, conditions: tuple[Condition, ...]) -> Route:
        """The route with these conditions."""
        name = identity(self._rule.get("name") or "")
        if self._refused:
            return Route(name, conditions, refusal=REFUSED)
        rule = {one: value for one, value in self._rule.items() if one not in _READ}
        targets, headers, filters = self._targets()
        fields: Manifest = {"headers": headers} if headers else {}
        if self._mirrors:
            fields["mirrors"] = self._mirrors
        times = rule.get("timeouts") or {}
        if set(times) == {"request"}:
            fields["timeout"] = times["request"]
            del rule["timeouts"]
        redirects = any(one.get("type") == "RequestRedirect" for one in filters)
        if not targets and not redirects:
            fields |= _ANSWERS_500
        if kept := {**rule, **({"filters": filters} if filters else {})}:
            fields[KEPT] = kept
        return Route(name, conditions, targets, rewrite=self.rewrite, fields=fields)

    def _targets(self) -> tuple[tuple[Target, ...], Manifest, list[Manifest]]:
        """The targets, the changes of headers that belong to the rule itself, and the filters that are kept."""
        if len(self._refs) != 1:
            kept = self._kept_filters if self._hostname is None else [_rewrite_of(self._hostname), *self._kept_filters]
            return tuple(self._target(one, {}) for one in self._refs), self._headers, kept
        headers = self._headers
        if self._hostname is not None:
            request = headers.get("request") or {}
            headers = {**headers, "request": {**request, "set": {HOST: self._hostname, **(request.get("set") or {})}}}
        target = self._target(self._refs[0], headers)
        if self._hostname is not None and target.authority != self._hostname:
            kept = [_rewrite_of(self._hostname), *self._kept_filters]
            target = self._target(self._refs[0], self._headers)
        else:
            kept = self._kept_filters
        left = target.fields.get("headers") or {}
        fields = {name: value for name, value in target.fields.items() if name != "headers"}
        return (replace(target, fields=fields),), left, kept

    def _target(self, ref: Mapping[str, Any], headers: Manifest) -> Target:
        given, filters = _taken_headers(ref.get("filters") or ())
        together = {part: _both(headers.get(part) or {}, given.get(part) or {}) for part in ("request", "response")}
        ordered = {part: _ordered(one, self._tag) for part, one in together.items() if one}
        rest = {name: value for name, value in ref.items() if name not in _READ_OF_BACKEND}
        alone = len(self._refs) == 1
        if alone and ref.get("weight", 1) != 1:
            rest["weight"] = ref["weight"]
        if filters:
            rest["filters"] = filters
        destination: Manifest = {
            "destination": self._destination(ref),
            **({} if alone else {"weight": ref.get("weight", 1)}),
            **({"headers": ordered} if ordered else {}),
            **({KEPT: rest} if rest else {}),
        }
        return lifted_target(destination, self._tag)

    def _destination(self, ref: Mapping[str, Any]) -> Manifest:
        port = {"port": {"number": ref["port"]}} if ref.get("port") else {}
        if ref.get("kind", "Service") != "Service":
            return {"host": ref.get("name", ""), **port}
        service = Name(ref.get("namespace") or self._namespace, ref.get("name", ""))
        host, version = self._versions.get(service, (ServiceName(service.name, service.namespace).host, ""))
        return {"host": host, **port, **({"subset": version} if version else {})}

    def _taken_mirrors(self, filters: Iterable[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
        mirrors: list[Manifest] = []
        rest: list[Manifest] = []
        for one in filters:
            copied = one.get("requestMirror") or {}
            if one.get("type") != "RequestMirror" or copied.keys() - {"backendRef", "percent", "fraction"}:
                rest.append(one)
                continue
            found: Manifest = {"destination": self._destination(copied.get("backendRef") or {})}
            share = copied.get("fraction") or {}
            if (percent := copied.get("percent")) is not None:
                found["percentage"] = {"value": percent}
            elif share:
                found["percentage"] = {"value": 100 * share.get("numerator", 0) / share.get("denominator", 100)}
            mirrors.append(found)
        return mirrors, rest


_READ = frozenset({"name", "matches", "backendRefs", "filters"})
_READ_OF_BACKEND = frozenset({"group", "kind", "name", "namespace", "port", "weight", "filters"})


def _rewrite_of(hostname: str) -> Manifest:
    return {"type": "URLRewrite", "urlRewrite": {"hostname": hostname}}


def _taken_headers(filters: Iterable[Manifest]) -> tuple[Manifest, list[Manifest]]:
    """The changes of headers as Istio's `headers`, and the other filters."""
    found: Manifest = {}
    rest: list[Manifest] = []
    for one in filters:
        part = _MODIFIERS.get(one.get("type", ""))
        if part is None or part in found:
            rest.append(one)
            continue
        given = one.get(f"{part}HeaderModifier") or {}
        changed: Manifest = {
            name: {pair["name"]: pair["value"] for pair in given[name]} for name in ("set", "add") if given.get(name)
        }
        if given.get("remove"):
            changed["remove"] = list(given["remove"])
        found[part] = changed
    return found, rest


def _taken_rewrite(
    filters: Iterable[Manifest], matches: Sequence[Manifest]
) -> tuple[str | None, str | None, list[Manifest]]:
    """The host that a rule's requests get, what replaces the prefix or the path that it matches, and the rest."""
    hostname = value = None
    rest: list[Manifest] = []
    for one in filters:
        given = one.get("urlRewrite") or {}
        if one.get("type") != "URLRewrite" or given.keys() - {"hostname", "path"}:
            rest.append(one)
            continue
        path = given.get("path")
        value = _replacement(path, matches) if path else None
        if path and value is None:
            rest.append(one)
        else:
            hostname = given.get("hostname")
    return hostname, value, rest


def _replacement(path: Mapping[str, Any], matches: Sequence[Manifest]) -> str | None:
    if len(matches) != 1:
        return None
    asked = matches[0].get("path") or {}
    kind = asked.get("type", "PathPrefix")
    if path.get("type") == "ReplacePrefixMatch" and kind == "PathPrefix":
        value = str(path.get("replacePrefixMatch", ""))
        return value if value.endswith("/") else None
    return path.get("replaceFullPath") if kind == "Exact" else None


def _both(one: Manifest, other: Manifest) -> Manifest:
    removed = [*(one.get("remove") or ()), *(other.get("remove") or ())]
    found = {name: {**(one.get(name) or {}), **(other.get(name) or {})} for name in ("set", "add")}
    return {name: value for name, value in (*found.items(), ("remove", removed)) if value}


def _ordered(operations: Manifest, tag: str) -> Manifest:
    """The operations with the names that are removed in the order in which a VirtualService has them."""
    removed: list[str] = operations.get("remove") or []
    if removed[:1] != [TRAIL]:
        return operations
    own = [name for name in removed[1:3] if name in (tag, BAGGAGE)]
    return {**operations, "remove": [*own, TRAIL, *removed[1 + len(own) :]]}
