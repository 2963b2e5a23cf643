"""Translates a VirtualService's routes to Envoy's. Source: Istio, pilot route.go, translateRoute.

`simulate.candidates` decides which routes a proxy gets. The translation itself shares no code with `simulate`, so that
tests can compare the two.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from meshconfig.istio import Destination, HTTPRedirect, HTTPRoute, HTTPRouteDestination, VirtualService
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.istio.destinations import authority, mirrors, redirect_port, sent_authority, weighted
from meshconfig.istio.services import destination_port
from meshconfig.istio.types import RouteOfGatewayAPI
from meshconfig.local import headers, policies
from meshconfig.local.config import Json, Noted
from meshconfig.local.matches import EVERYTHING, route_match
from meshconfig.local.values import duration
from meshconfig.simulate import Index
from meshconfig.simulate.candidates import Candidate, ProxyContext, candidates

_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}
_REDIRECTS[308] = "PERMANENT_REDIRECT"


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
        """The cluster of a destination."""
        service, at_gateway = self.index.registry.get(destination.host), self.proxy.is_gateway
        port = destination_port(destination, service, self.port, at_gateway=at_gateway) or self.port
        return str(ClusterName(destination.host.lower(), port, destination.subset))


@dataclass(frozen=True, slots=True)
class Translated:
    """A route as Envoy takes it. `catch_all`: it takes every request."""

    route: Json
    catch_all: bool


def routes(service: VirtualService, place: RouteContext, noted: Noted) -> list[Translated]:
    """The routes of one VirtualService for one listener, in order, up to the first that takes every request."""
    found: list[Translated] = []
    for one in candidates(place.index.routes(service), place.proxy):
        under = _under(noted, f"spec.http[{one.ref.index}]")
        match = _match(one, under)
        if match is not None:
            found.append(Translated(_route(one.route, match, place, under), one.catch_all))
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
    if isinstance(http, RouteOfGatewayAPI):
        action["cluster_not_found_response_code"] = "INTERNAL_SERVER_ERROR"
    if copies := [policies.mirror_policy(place.cluster(one), share) for one, share in mirrors(http)]:
        action["request_mirror_policies"] = copies
    if host := _authority(http):
        action["host_rewrite_literal"] = host
    if http.rewrite and (regex := http.rewrite.uri_regex_rewrite):
        action["regex_rewrite"] = {"pattern": {"regex": regex.match}, "substitution": regex.rewrite}
    elif http.rewrite and http.rewrite.uri:
        action["prefix_rewrite"] = http.rewrite.uri
    return action


def _destinations(destinations: tuple[HTTPRouteDestination, ...], place: RouteContext) -> Json:
    if len(destinations) == 1:
        return {"cluster": place.cluster(destinations[0].destination)}
    found = [_weighted(one, weight, place.cluster(one.destination)) for weight, one in weighted(destinations)]
    return {"weighted_clusters": {"clusters": found}}


def _weighted(one: HTTPRouteDestination, weight: int, cluster: str) -> Json:
    host = authority(one.headers.request)
    rewrite = {"host_rewrite_literal": host} if host else {}
    return {"name": cluster, "weight": weight, **headers.operations(one.headers), **rewrite}


def _authority(http: HTTPRoute) -> str:
    """The authority that the route as a whole gives; of several destinations each gives its own."""
    if len(http.route) == 1:
        return sent_authority(http, http.route[0])
    return (http.rewrite.authority if http.rewrite else "") or authority(http.headers.request)


def _redirect(redirect: HTTPRedirect, port: int, noted: Noted) -> Json:
    if redirect.redirect_code not in _REDIRECTS:
        noted("redirect.redirectCode", f"Envoy has no redirect with status {redirect.redirect_code}: answered with 301")
    action = {
        "host_redirect": redirect.authority,
        "prefix_rewrite": redirect.prefix_rewrite,
        "path_redirect": "" if redirect.prefix_rewrite else redirect.uri,
        "scheme_redirect": redirect.scheme,
        "port_redirect": redirect_port(redirect, port, tls=False),
        "response_code": _REDIRECTS.get(redirect.redirect_code, "MOVED_PERMANENTLY"),
    }
    return {name: value for name, value in action.items() if value}


def last_the_catch_alls(found: Iterable[Translated]) -> list[Json]:
    """Order the routes of VirtualServices that share a host at a gateway: catch-all routes come last.

    Source: Istio, SortVHostRoutes.
    """
    return [one.route for one in sorted(found, key=lambda one: one.catch_all)]
