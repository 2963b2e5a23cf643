"""How far forward the matches of live HTTPRoutes and GRPCRoutes go, by their texts alone.

Source: Gateway API, HTTPRouteRule.matches; istio/istio pilot/pkg/config/kube/gateway/conversion.go, sortHTTPRoutes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from meshconfig.backend.gateway.matches import Rank

GRPC_ROUTE = "GRPCRoute"
_PLACES = {"Exact": 3, "PathPrefix": 2, "RegularExpression": 1}
_LAST = (-1, 0)  # of a match that asks for no path, and below it, a rule without any match


def ranks(rule: Mapping[str, Any], kind: str) -> list[Rank]:
    """The rank of each match of a rule, the greater first; of a rule without any, that of the one it stands for.

    Parameters:
        kind: HTTPRoute or GRPCRoute.
    """
    of = _of_grpc if kind == GRPC_ROUTE else _of_http
    matches: Sequence[Mapping[str, Any]] = rule.get("matches") or ({},)
    return [of(one) for one in matches]


def _of_http(match: Mapping[str, Any]) -> Rank:
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind == "PathPrefix":
        value = value.removesuffix("/") or "/"
    return _rank((_PLACES.get(kind, -1), len(value.encode())), match, bool(match.get("method")))


def _of_grpc(match: Mapping[str, Any]) -> Rank:
    method = match.get("method") or {}
    service, name = method.get("service"), method.get("method")
    if not (service or name):
        return _rank(_LAST, match, False)
    if not service:
        return _rank((1, len(f"/[^/]+/{name}".encode())), match, False)
    if method.get("type") == "RegularExpression":
        return _rank((1, len(f"/{service}/{name or '.+'}".encode())), match, False)
    return _rank((3, len(f"/{service}/{name}".encode())) if name else (2, len(f"/{service}".encode())), match, False)


def _rank(place: tuple[int, int], match: Mapping[str, Any], method: bool) -> Rank:
    headers: Sequence[object] = match.get("headers") or ()
    query: Sequence[object] = match.get("queryParams") or ()
    return (*place, method, len(headers), len(query))
