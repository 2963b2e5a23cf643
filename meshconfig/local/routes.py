"""Translates a VirtualService's routes to Envoy's. Source: Istio, pilot route.go, translateRoute.

`simulate.candidates` decides which routes a proxy gets. The translation itself shares no code with `simulate`, so that
tests can compare the two.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from meshconfig.istio import Destination, HTTPRedirect, HTTPRoute, HTTPRouteDestination, VirtualService
from meshconfig.local import headers, policies
from meshconfig.local.config import Json, Noted, cluster_name
from meshconfig.local.matches import EVERYTHING, is_catch_all, route_match
from meshconfig.local.values import duration
from meshconfig.simulate import Index
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates

_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}
_REDIRECTS[308] = "PERMANENT_REDIRECT"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The proxy for which routes are translated, and the resources around it."""

    index: Index
    namespace: str
    port: int
    gateway: str

    @property
    def proxy(self) -> ProxyContext:
        return ProxyContext(self.namespace, None, self.port, self.gateway)

    def cluster(self, destination: Destination) -> str:
        """The cluster of a destination. Without a port: at a gateway the Service's only one, else the called one."""
        service = self.index.registry.get(destination.host) if self.proxy.is_gateway else None
        port = destination.port.number or (service.only_port if service else None) or self.port
        return cluster_name(destination.host.lower(), port, destination.subset)


def routes(service: VirtualService, place: RouteContext, noted: Noted) -> list[Json]:
    """The routes of one VirtualService for one listener, in order, up to the first that takes every request."""
    found: list[Json] = []
    for one in candidates(place.index.routes(service), place.proxy):
        under = _under(noted, f"spec.http[{one.ref.index}]")
        match = _match(one, under)
        if match is not None:
            found.append(_route(one.route, match, place, under))
    return found


def default_route(cluster: str) -> Json:
    """A route of all requests to one cluster, for a service without a VirtualService."""
    action = {"cluster": cluster, "timeout": "0s", "retry_policy": policies.retry_policy(None)}
    return {"name": "default", "match": EVERYTHING, "route": action}


def _under(noted: Noted, prefix: str) -> Noted:
    return lambda path, message: noted(f"{prefix}.{path}", message)


def _match(one: Candidate, noted: Noted) -> Json | None:
    """The match under which a route applies; None if it does not apply at this listener."""
    if one.kept_out.mismatches:
        for mismatch in one.kept_out.mismatches:
            if mismatch.field == "delegate":
                noted("delegate", f"left out: {mismatch.wanted}")
        return None
    under = _under(noted, f"match[{one.ref.match_index}]")
    if one.kept_out.unknown:
        under("sourceLabels", "all callers share one address here: a condition on the caller never holds")
        return None
    return route_match(one.match, under) if one.match else EVERYTHING


def _route(http: HTTPRoute, match: Json, place: RouteContext, noted: Noted) -> Json:
    route: Json = {"name": http.name, "match": match, **policies.filters(http.fault, http.cors_policy)}
    if http.redirect:
        return {**route, **headers.operations(http.headers), "redirect": _redirect(http.redirect, place.port, noted)}
    if http.direct_response:
        body = http.direct_response.body
        text = {"body": {"inline_string": body.string or ""}} if body else {}
        answer = {"status": http.direct_response.status, **text}
        return {**route, **headers.operations(http.headers), "direct_response": answer}
    alone = http.route[0].headers if len(http.route) == 1 else None
    operations = headers.operations(http.headers, alone) if alone else headers.operations(http.headers)
    return {**route, **operations, "route": _action(http, place)}


def _action(http: HTTPRoute, place: RouteContext) -> Json:
    action: Json = {
        **_destinations(http.route, place),
        "timeout": duration(http.timeout) if http.timeout else "0s",
        "retry_policy": policies.retry_policy(http.retries),
    }
    if mirrors := list(_mirrors(http, place)):
        action["request_mirror_policies"] = mirrors
    host = (http.rewrite and http.rewrite.authority) or headers.authority(http.headers)
    if not host and len(http.route) == 1:
        host = headers.authority(http.route[0].headers)
    if host:
        action["host_rewrite_literal"] = host
    if http.rewrite and (regex := http.rewrite.uri_regex_rewrite):
        action["regex_rewrite"] = {"pattern": {"regex": regex.match}, "substitution": regex.rewrite}
    elif http.rewrite and http.rewrite.uri:
        action["prefix_rewrite"] = http.rewrite.uri
    return action


def _destinations(destinations: tuple[HTTPRouteDestination, ...], place: RouteContext) -> Json:
    if len(destinations) == 1:
        return {"cluster": place.cluster(destinations[0].destination)}
    weighted = [_weighted(one, place.cluster(one.destination)) for one in destinations if one.weight]
    return {"weighted_clusters": {"clusters": weighted}}


def _weighted(one: HTTPRouteDestination, cluster: str) -> Json:
    host = headers.authority(one.headers)
    rewrite = {"host_rewrite_literal": host} if host else {}
    return {"name": cluster, "weight": one.weight, **headers.operations(one.headers), **rewrite}


def _mirrors(http: HTTPRoute, place: RouteContext) -> Iterator[Json]:
    wanted: list[tuple[Destination, Any]] = []
    if http.mirror:
        wanted.append((http.mirror, http.mirror_percentage or _percent(http.mirror_percent)))
    wanted += [(one.destination, one.percentage) for one in http.mirrors]
    for destination, percentage in wanted:
        policy = policies.mirror_policy(place.cluster(destination), percentage)
        if policy:
            yield policy


def _percent(value: int | None) -> Json | None:
    """The share by the older, deprecated field of the same meaning."""
    return None if value is None else {"value": value}


def _redirect(redirect: HTTPRedirect, port: int, noted: Noted) -> Json:
    to_port = port if redirect.derive_port == "FROM_REQUEST_PORT" else redirect.port
    if to_port == _DEFAULT_PORTS.get(redirect.scheme or "http"):
        to_port = None
    if redirect.redirect_code not in _REDIRECTS:
        noted("redirect.redirectCode", f"Envoy has no redirect with status {redirect.redirect_code}: answered with 301")
    action = {
        "host_redirect": redirect.authority,
        "path_redirect": redirect.uri,
        "scheme_redirect": redirect.scheme,
        "port_redirect": to_port,
        "response_code": _REDIRECTS.get(redirect.redirect_code, "MOVED_PERMANENTLY"),
    }
    return {name: value for name, value in action.items() if value}


def last_the_catch_alls(found: Iterable[Json]) -> list[Json]:
    """Order the routes of VirtualServices that share a host at a gateway: catch-all routes come last.

    Source: Istio, SortVHostRoutes.
    """
    return sorted(found, key=lambda route: is_catch_all(route["match"]))
