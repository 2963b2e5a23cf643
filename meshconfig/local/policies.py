"""Translates a route's policies: retries, faults, CORS, mirrors. Source: Istio, pilot route.go and retry.go."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from meshconfig.local.config import Json
from meshconfig.local.values import duration, fraction, share, typed

CORS = "envoy.filters.http.cors"
FAULT = "envoy.filters.http.fault"

# Istio since 1.24: a 503 of the service itself is not safe to repeat. The last one is the policy of the sidecar at the
# other end, which the one Envoy here stands for as well.
_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled"
_INBOUND = "reset-before-request"
_PREVIOUS_HOSTS: Json = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
}
_GRPC_STATUS = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def retry_policy(retries: Mapping[str, Any] | None) -> Json:
    """The retry policy of a route. Istio's default is two retries if the request cannot have reached the service."""
    if retries is None:
        retries = {"attempts": 2}
    attempts = int(retries.get("attempts", 0))
    if attempts <= 0:
        return {"retry_on": _INBOUND, "num_retries": 2}
    conditions, codes = _retry_on(retries.get("retryOn") or _RETRY_ON)
    policy: Json = {
        "retry_on": ",".join([*conditions, _INBOUND]),
        "num_retries": attempts,
        "host_selection_retry_max_attempts": 5,
    }
    if codes:
        policy["retriable_status_codes"] = codes
    if retries.get("retryIgnorePreviousHosts", True):
        policy["retry_host_predicate"] = [_PREVIOUS_HOSTS]
    if "perTryTimeout" in retries:
        policy["per_try_timeout"] = duration(retries["perTryTimeout"])
    if "backoff" in retries:
        policy["retry_back_off"] = {"base_interval": duration(retries["backoff"])}
    return policy


def filters(fault: Mapping[str, Any] | None, cors: Mapping[str, Any] | None) -> Json:
    """The settings of Envoy's filters for one route."""
    found: Json = {}
    if fault is not None and (settings := _fault(fault)):
        found[FAULT] = typed("extensions.filters.http.fault.v3.HTTPFault", **settings)
    if cors is not None:
        found[CORS] = typed("extensions.filters.http.cors.v3.CorsPolicy", **_cors(cors))
    return {"typed_per_filter_config": found} if found else {}


def mirror_policy(cluster: str, millionths: int) -> Json:
    """A copy of this share of the requests to a cluster."""
    return {"cluster": cluster, "runtime_fraction": {"default_value": fraction(millionths)}}


def _retry_on(text: str) -> tuple[list[str], list[int]]:
    """Envoy's retry conditions and status codes, which Istio writes in one list."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    known = {str(status.value) for status in HTTPStatus}
    codes = [int(part) for part in parts if part in known]
    conditions = [part for part in parts if part not in known]
    if codes and "retriable-status-codes" not in conditions:
        conditions.append("retriable-status-codes")
    return conditions, codes


def _fault(fault: Mapping[str, Any]) -> Json:
    settings: Json = {}
    delay, abort = fault.get("delay"), fault.get("abort")
    if delay and "fixedDelay" in delay:
        settings["delay"] = {
            "fixed_delay": duration(delay["fixedDelay"]),
            "percentage": share(delay.get("percentage")),
        }
    if abort and "httpStatus" in abort:
        settings["abort"] = {"http_status": abort["httpStatus"], "percentage": share(abort.get("percentage"))}
    elif abort and abort.get("grpcStatus") in _GRPC_STATUS:
        status = _GRPC_STATUS.index(abort["grpcStatus"])
        settings["abort"] = {"grpc_status": status, "percentage": share(abort.get("percentage"))}
    return settings


def _cors(cors: Mapping[str, Any]) -> Json:
    settings: Json = {
        "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        "forward_not_matching_preflights": cors.get("unmatchedPreflights") != "IGNORE",
        "allow_origin_string_match": [_origin(one) for one in cors.get("allowOrigins") or ()],
    }
    for theirs, ours in (("allowMethods", "allow_methods"), ("allowHeaders", "allow_headers")):
        if cors.get(theirs):
            settings[ours] = ",".join(cors[theirs])
    if cors.get("exposeHeaders"):
        settings["expose_headers"] = ",".join(cors["exposeHeaders"])
    if cors.get("maxAge"):
        settings["max_age"] = duration(cors["maxAge"]).rstrip("s").partition(".")[0]
    if cors.get("allowCredentials") is not None:
        settings["allow_credentials"] = cors["allowCredentials"]
    return settings


def _origin(match: Mapping[str, str]) -> Json:
    return {"safe_regex": {"regex": match["regex"]}} if "regex" in match else dict(match)
