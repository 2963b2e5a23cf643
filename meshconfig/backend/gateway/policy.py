"""A service's `policy`, fields of Istio's HTTPRoute, as far as HTTPRoutes of the Gateway API have them.

Source: Gateway API, HTTPRouteTimeouts, HTTPRouteRetry, HTTPCORSFilter; istio/istio
pilot/pkg/config/kube/gateway/conversion.go, convertHTTPRoute and createCorsFilter.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from meshconfig.backend.gateway.filters import KEPT
from meshconfig.backend.manifest import Manifest
from meshconfig.backend.refused import UnsupportedError
from meshconfig.duration import go_seconds, written
from meshconfig.model import Route

SAID = frozenset({KEPT, "timeout", "retries", "headers", "corsPolicy", "mirrors", "redirect", "directResponse"})
SAID_OF_GRPC = frozenset({KEPT, "headers", "mirrors", "directResponse"})
_NEAREST = {
    "fault": "leave it away; no HTTPRoute injects faults",
    "mirror": "the service's own field mirror copies requests to a version",
    "mirrorPercentage": "the service's own field mirror has a percent",
}
# What istiod retries on besides the codes, whatever a route asks for.
_ALWAYS_RETRIED = frozenset({"connect-failure", "refused-stream", "unavailable", "cancelled"})
_GATEWAY_ERRORS = (502, 503, 504)
_LEAST_CODE, _GREATEST_CODE = 400, 599


def check(route: Route, *, grpc: bool = False) -> None:
    """Checks that Gateway API has a field for each part of a route's policy.

    Parameters:
        grpc: a GRPCRoute is to have it.

    Raises:
        UnsupportedError: it has none.
    """
    for name in route.fields:
        if grpc and name not in SAID_OF_GRPC:
            _refuse(route, f"no GRPCRoute has {name}: write protocol: http, as an HTTPRoute takes gRPC too", name)
        if name not in SAID:
            _refuse(route, f"no HTTPRoute has {name}: {_NEAREST.get(name, 'leave it away')}", name)


def timeouts(route: Route, *, experimental: bool) -> Manifest:
    """The fields `timeouts` and `retry` of a rule.

    Parameters:
        experimental: write fields of Gateway API's experimental channel too.

    Raises:
        UnsupportedError: retries without that channel, or of a kind that it does not have.
    """
    given, retries = route.fields.get("timeout"), route.fields.get("retries") or {}
    times = {"request": _duration(given)} if given else {}
    if not retries:
        return {"timeouts": times} if times else {}
    if not experimental:
        _refuse(
            route,
            "retries are in Gateway API's experimental channel: give --experimental, or leave them away",
            "retries",
        )
    if per_try := retries.get("perTryTimeout"):
        times["backendRequest"] = _duration(per_try)
    return {**({"timeouts": times} if times else {}), "retry": _retry(route, retries)}


def _retry(route: Route, given: Mapping[str, Any]) -> Manifest:
    for name in ("retryRemoteLocalities", "retryIgnorePreviousHosts"):
        if given.get(name) is not None:
            _refuse(route, f"no HTTPRoute has {name}: leave it away", "retries")
    found: Manifest = {}
    if codes := list(dict.fromkeys(_codes(route, str(given.get("retryOn") or "")))):
        found["codes"] = codes
    if (attempts := given.get("attempts")) is not None:
        found["attempts"] = attempts
    if backoff := given.get("backoff"):
        found["backoff"] = _duration(backoff)
    return found


def _codes(route: Route, conditions: str) -> Iterator[int]:
    for word in (part.strip() for part in conditions.split(",")):
        if word.isdigit() and _LEAST_CODE <= int(word) <= _GREATEST_CODE:
            yield int(word)
        elif word == "gateway-error":
            yield from _GATEWAY_ERRORS
        elif word and word not in _ALWAYS_RETRIED:
            _refuse(route, f"an HTTPRoute retries on status codes, not on {word}: write codes, such as 503", "retries")


def cors(route: Route) -> Iterator[Manifest]:
    """The filter for a `corsPolicy`.

    Raises:
        UnsupportedError: origins that are no plain names, or unmatched preflights that the service is to get.
    """
    given = route.fields.get("corsPolicy")
    if not given:
        return
    origins = [one.get("exact") for one in given.get("allowOrigins") or ()]
    if not all(origins):
        _refuse(route, "the CORS filter takes whole origins: write exact, not prefix or regex", "corsPolicy")
    if given.get("unmatchedPreflights") != "IGNORE":
        _refuse(route, "the CORS filter answers every preflight: write unmatchedPreflights: IGNORE", "corsPolicy")
    found: Manifest = {"allowOrigins": origins} if origins else {}
    for name in ("allowMethods", "allowHeaders", "exposeHeaders", "allowCredentials"):
        if given.get(name):
            found[name] = given[name]
    if age := given.get("maxAge"):
        found["maxAge"] = int(go_seconds(age))
    yield {"type": "CORS", "cors": found}


def _duration(text: str) -> str:
    """A duration without fractions. Source: Gateway API, GEP-2257."""
    return written(float(go_seconds(text)))


def _refuse(route: Route, message: str, name: str) -> NoReturn:
    service = route.origin.service if route.origin else ""
    raise UnsupportedError(route, message, ("spec", "services", service, "policy", name))
