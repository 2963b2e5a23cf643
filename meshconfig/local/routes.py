"""A VirtualService's routes to Envoy's. Source: Istio, pilot route.go, BuildHTTPRoutesForVirtualService."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.istio import Destination, HTTPRedirect, HTTPRoute, HTTPRouteDestination, VirtualService, fqdn
from meshconfig.local import headers, policies
from meshconfig.local.config import Json, Noted, cluster_name
from meshconfig.local.matches import EVERYTHING, is_catch_all, route_match
from meshconfig.local.values import duration

_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}
_REDIRECTS[308] = "PERMANENT_REDIRECT"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """For which listener routes are made: the names under which a VirtualService binds to it, its port in the cluster.

    `services` gives the ports of each Service's host: a destination that names no port takes the only one.
    """

    gateways: frozenset[str]
    port: int
    services: Mapping[str, Collection[int]]

    def cluster(self, destination: Destination, namespace: str) -> str:
        host = fqdn(destination.host, namespace)
        ports = self.services.get(host, ())
        port = destination.port.number or (next(iter(ports)) if len(ports) == 1 else self.port)
        return cluster_name(host, port, destination.subset)


def routes(service: VirtualService, place: Place, noted: Noted) -> list[Json]:
    """The routes of one VirtualService for one listener, in order, up to the first that takes every request."""
    found: list[Json] = []
    for index, http in enumerate(service.spec.http):
        for match in _matches(http, service.namespace, place, _under(noted, f"spec.http[{index}]")):
            found.append(_route(http, match, service, place, _under(noted, f"spec.http[{index}]")))
            if is_catch_all(match):
                return found
    return found


def default_route(cluster: str) -> Json:
    """All requests to one cluster: a service without a VirtualService."""
    action = {"cluster": cluster, "timeout": "0s", "retry_policy": policies.retry_policy(None)}
    return {"name": "default", "match": EVERYTHING, "route": action}


def gateway_name(name: str, namespace: str) -> str:
    """A gateway as a VirtualService names it, in full: `namespace/name`; `mesh` stays."""
    return name if "/" in name or name == "mesh" else f"{namespace}/{name}"


def _under(noted: Noted, prefix: str) -> Noted:
    return lambda path, message: noted(f"{prefix}.{path}", message)


def _matches(http: HTTPRoute, namespace: str, place: Place, noted: Noted) -> Iterator[Json]:
    if not http.match:
        yield EVERYTHING
    for index, match in enumerate(http.match):
        names = {gateway_name(name, namespace) for name in match.gateways}
        if (match.port or place.port) != place.port or (names and not names & place.gateways):
            continue
        translated = route_match(match, _under(noted, f"match[{index}]"))
        if translated is not None:
            yield translated


def _route(http: HTTPRoute, match: Json, service: VirtualService, place: Place, noted: Noted) -> Json:
    route: Json = {"name": http.name, "match": match, **policies.filters(http.fault, http.cors_policy)}
    if http.redirect:
        return {**route, **headers.operations(http.headers), "redirect": _redirect(http.redirect, place.port, noted)}
    if http.direct_response:
        body = http.direct_response.body
        text = {"body": {"inline_string": body.string or ""}} if body else {}
        answer = {"status": http.direct_response.status, **text}
        return {**route, **headers.operations(http.headers), "direct_response": answer}
    if http.delegate or not http.route:
        noted("delegate", "routes of another VirtualService are not looked up here: answered with 501")
        return {**route, "direct_response": {"status": 501, "body": {"inline_string": "graylane: delegate\n"}}}
    alone = http.route[0].headers if len(http.route) == 1 else None
    operations = headers.operations(http.headers, alone) if alone else headers.operations(http.headers)
    return {**route, **operations, "route": _action(http, service.namespace, place)}


def _action(http: HTTPRoute, namespace: str, place: Place) -> Json:
    action: Json = {
        **_destinations(http.route, namespace, place),
        "timeout": duration(http.timeout) if http.timeout else "0s",
        "retry_policy": policies.retry_policy(http.retries),
    }
    if mirrors := list(_mirrors(http, namespace, place)):
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


def _destinations(destinations: tuple[HTTPRouteDestination, ...], namespace: str, place: Place) -> Json:
    if len(destinations) == 1:
        return {"cluster": place.cluster(destinations[0].destination, namespace)}
    weighted = [_weighted(one, place.cluster(one.destination, namespace)) for one in destinations if one.weight]
    return {"weighted_clusters": {"clusters": weighted}}


def _weighted(one: HTTPRouteDestination, cluster: str) -> Json:
    host = headers.authority(one.headers)
    rewrite = {"host_rewrite_literal": host} if host else {}
    return {"name": cluster, "weight": one.weight, **headers.operations(one.headers), **rewrite}


def _mirrors(http: HTTPRoute, namespace: str, place: Place) -> Iterator[Json]:
    wanted: list[tuple[Destination, Any]] = []
    if http.mirror:
        wanted.append((http.mirror, (http.model_extra or {}).get("mirrorPercentage")))
    wanted += [(Destination.model_validate(one["destination"]), one.get("percentage")) for one in http.mirrors]
    for destination, percentage in wanted:
        policy = policies.mirror_policy(place.cluster(destination, namespace), percentage)
        if policy:
            yield policy


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
    """Where VirtualServices share a host at a gateway, who takes all comes last. Source: Istio, SortVHostRoutes."""
    return sorted(found, key=lambda route: is_catch_all(route["match"]))
