"""Compares route tables with Envoy's routes, aspect by aspect (name, match, targets, headers, time-outs, …).

Not everything that istiod makes of a route is an aspect. An aspect that cannot be predicted (a condition on a claim, a
redirect) is left out on the expected side, and is then not compared.
Source: istio/istio `pilot/pkg/networking/core/route/route.go` (TranslateRoute, TranslateRouteMatch).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from meshconfig.backend.istio.envoy_dump import Json, weighted_clusters
from meshconfig.backend.istio.route_names import route_name
from meshconfig.backend.istio.virtual_service import REFUSED, SET_COOKIE, format_escaped, removed_names, tag_values
from meshconfig.duration import go_seconds
from meshconfig.istio import cluster_names, fqdn
from meshconfig.istio.destinations import is_internal
from meshconfig.model import TRAIL, Condition, Named, RemoveTag, Route, RouteTable, SetTag, StringMatch, Target

Aspects = Mapping[str, Any]
_EVERY_PATH = Condition(path=StringMatch("regex", ".*"))
DEFAULT_RETRIES = 2  # Source: pilot retry.go, DefaultPolicy


def expected(table: RouteTable, tag: str) -> list[Aspects]:
    """The Envoy routes that istiod makes of a table, in order: one for each condition of each route.

    istiod makes no Envoy routes from the routes behind one that takes every request.

    Parameters:
        tag: the name of the tag's header.
    """
    found: list[Aspects] = []
    for route in table.routes:
        for condition in route.conditions or (Condition(),):
            found.append(expected_one(route, condition, table.name.namespace, tag))
            if condition.always or condition == _EVERY_PATH:
                return found
    return found


def expected_one(route: Route, condition: Condition, namespace: str, tag: str) -> Aspects:
    """The Envoy route of one condition of a route."""
    name = route_name(route.id)
    label = condition.fields.get("name")
    aspects: dict[str, Any] = {"name": f"{name}.{label}" if label else name}
    if not condition.claims and not (condition.fields.keys() - {"name"}):
        aspects["match"] = frozenset(_conditions(condition))
    if route.refusal:
        return {**aspects, "answers": (REFUSED, route.refusal)}
    if route.targets:
        aspects["targets"] = tuple(_target(one, namespace) for one in _served(route.targets))
    if not route.fields.keys() & {"redirect", "directResponse", "delegate"}:
        aspects["headers"] = frozenset(_operations(route, tag))
        aspects |= _policy(route, namespace)
    return aspects


def _served(targets: Sequence[Target]) -> list[Target]:
    return [one for one in targets if one.weight != 0] if len(targets) > 1 else list(targets)


def _target(target: Target, namespace: str) -> tuple[str, str, int | None]:
    return fqdn(target.host, namespace).lower(), target.subset, target.weight


def _conditions(condition: Condition) -> Iterator[tuple[str, ...]]:
    if condition.path and condition.path != StringMatch("prefix", "/"):
        yield "path", condition.path.kind, condition.path.value
    if condition.method:
        yield "header", ":method", "exact", condition.method
    for kind, matches in (("header", condition.headers), ("absent", condition.absent), ("query", condition.query)):
        yield from ((kind, name, match.kind, match.value) for name, match in _plain(matches))


def _plain(matches: Named) -> Iterator[tuple[str, StringMatch]]:
    for name, match in matches:
        # istiod turns matches that every value fulfils into presence. Source: route.go, canBeConvertedToPresentMatch.
        anything = match in (StringMatch("regex", "*"), StringMatch("prefix", ""))
        yield name, StringMatch("present") if anything else match


def _operations(route: Route, tag: str) -> Iterator[tuple[str, ...]]:
    yield from _given(route.fields.get("headers"))
    for target in route.targets:
        if isinstance(target.tag, SetTag):
            yield from (("request", "set", *pair) for pair in tag_values(target.tag, tag).items())
        if isinstance(target.tag, RemoveTag):
            yield from (("request", "remove", name) for name in removed_names(target.tag, tag))
        if target.trail:
            yield "response", "add", TRAIL, target.trail
        if target.set_cookie:
            yield "response", "add", SET_COOKIE, format_escaped(target.set_cookie)
        yield from _given(target.fields.get("headers"))


def _given(headers: Json | None) -> Iterator[tuple[str, ...]]:
    for side, changes in (headers or {}).items():
        for kind in ("set", "add"):
            yield from ((side, kind, name, value) for name, value in (changes.get(kind) or {}).items() if _own(name))
        yield from ((side, "remove", name) for name in changes.get("remove") or () if _own(name))


def _own(name: str) -> bool:
    """Whether Envoy's route lists a change of this header. Istio turns those of `host` and `:authority` into others."""
    return not is_internal(name) and name.lower() != "host"


def _policy(route: Route, namespace: str) -> Aspects:
    """The aspects of a service's policy that Envoy has as plain values; times in seconds."""
    fields = route.fields
    aspects: dict[str, Any] = {}
    if fields.get("timeout"):
        aspects["timeout"] = _seconds(fields["timeout"])
    if route.rewrite:
        aspects["rewrite"] = route.rewrite
    if retries := fields.get("retries"):
        attempts = int(retries.get("attempts") or 0)
        aspects["retries"] = attempts
        if attempts and retries.get("perTryTimeout"):
            aspects["per try"] = _seconds(retries["perTryTimeout"])
    if abort := (fields.get("fault") or {}).get("abort"):
        aspects["abort"] = abort.get("httpStatus")
    if delay := (fields.get("fault") or {}).get("delay"):
        aspects["delay"] = _seconds(delay.get("fixedDelay") or "0s")
    if not fields.keys() & {"mirrorPercent", "mirrorPercentage"} and not _shared(fields):
        aspects["mirrors"] = frozenset(_mirrored(fields, namespace))
    return aspects


def _shared(fields: Json) -> bool:
    """Whether a mirror has a percentage. Mirrors are then not compared, because Envoy gets none for 0 %."""
    return any("percentage" in one for one in fields.get("mirrors") or ())


def _mirrored(fields: Json, namespace: str) -> Iterator[tuple[str, str]]:
    several = [one.get("destination") or {} for one in fields.get("mirrors") or ()]
    for one in [*([fields["mirror"]] if fields.get("mirror") else ()), *several]:
        yield fqdn(str(one.get("host", "")), namespace).lower(), str(one.get("subset") or "")


def _seconds(text: str) -> float | None:
    try:
        return round(float(go_seconds(text)), 3)
    except ValueError:  # a live resource that was written without validation
        return None


def differs(wanted: Sequence[Aspects], routes: Sequence[Json], before: Sequence[Aspects]) -> bool:
    """Whether a virtual host's routes differ from the expected ones.

    Parameters:
        wanted: the expected routes, as `expected` returns them.
        routes: those of the virtual host, in order.
        before: the expected routes of the table as it was. What only these have must be gone.
    """
    old = {(one["name"], one.get("match")): one for one in before}
    for asked, found in zip_longest(wanted, map(shown, routes)):
        if asked is None or found is None:
            return True
        if any(not _holds(name, value, found) for name, value in asked.items()):
            return True
        if any(_left(name, value, asked, found) for name, value in _was(old, asked).items()):
            return True
    return False


def _was(old: Mapping[Any, Aspects], asked: Aspects) -> Aspects:
    return old.get((asked["name"], asked.get("match")), {})


def _holds(name: str, value: Any, found: Aspects) -> bool:
    if name == "headers":
        # istiod may add header changes of its own, so more than the expected ones is no difference.
        return bool(value <= found["headers"])
    return bool(found.get(name) == value)


def _left(name: str, value: Any, asked: Aspects, found: Aspects) -> bool:
    """Whether a route still has an aspect that only the table before had."""
    if name == "headers":
        return bool((value - asked.get("headers", frozenset())) & found["headers"])
    if name in asked or name == "match" or (name, value) == ("retries", DEFAULT_RETRIES):
        return False
    return bool(found.get(name) == value)


def shown(route: Json) -> Aspects:
    """The aspects of one of Envoy's routes."""
    action = route.get("route") or {}
    answer = route.get("directResponse") or {}
    retries = action.get("retryPolicy") or {}
    filters = route.get("typedPerFilterConfig") or {}
    fault = filters.get("envoy.filters.http.fault") or {}
    return {
        "name": route.get("name", ""),
        "match": frozenset(_matched(route.get("match") or {})),
        "answers": (answer.get("status"), (answer.get("body") or {}).get("inlineString")),
        "targets": tuple(_led(one) for one in weighted_clusters(route)),
        "headers": frozenset(operation for one in (route, *weighted_clusters(route)) for operation in _changed(one)),
        "timeout": _seconds(action.get("timeout") or "0s"),
        "retries": int(retries.get("numRetries") or 0),
        "per try": _seconds(retries.get("perTryTimeout") or "0s"),
        "abort": (fault.get("abort") or {}).get("httpStatus"),
        "delay": _seconds((fault.get("delay") or {}).get("fixedDelay") or "0s") if fault.get("delay") else None,
        "mirrors": frozenset(_cluster(one.get("cluster", "")) for one in action.get("requestMirrorPolicies") or ()),
        "rewrite": action.get("prefixRewrite"),
    }


def _led(cluster: Json) -> tuple[str, str, int | None]:
    return (*_cluster(cluster.get("name", "")), cluster.get("weight"))


def _cluster(name: str) -> tuple[str, str]:
    parsed = cluster_names.parse(name)
    return (parsed.host.lower(), parsed.subset) if parsed else (name, "")


def _changed(one: Json) -> Iterator[tuple[str, ...]]:
    for side in ("request", "response"):
        for option in one.get(f"{side}HeadersToAdd") or ():
            header = option.get("header") or {}
            kind = "set" if option.get("appendAction") == "OVERWRITE_IF_EXISTS_OR_ADD" else "add"
            yield side, kind, header.get("key", ""), header.get("value", "")
        yield from ((side, "remove", name) for name in one.get(f"{side}HeadersToRemove") or ())


def _matched(match: Json) -> Iterator[tuple[str, ...]]:
    path = {"path": "exact", "prefix": "prefix", "safeRegex": "regex"}
    for field, kind in path.items():
        value = match.get(field)
        value = value.get("regex", "") if isinstance(value, Mapping) else value
        if value and (kind, value) != ("prefix", "/"):
            yield "path", kind, value
    for header in match.get("headers") or ():
        yield ("absent" if header.get("invertMatch") else "header", header.get("name", ""), *_asked(header))
    for query in match.get("queryParameters") or ():
        yield ("query", query.get("name", ""), *_asked(query))


def _asked(matcher: Json) -> tuple[str, str]:
    match = matcher.get("stringMatch") or {}
    for kind in ("exact", "prefix"):
        if kind in match:
            return kind, match[kind]
    if "safeRegex" in match:
        return "regex", match["safeRegex"].get("regex", "")
    return "present", ""
