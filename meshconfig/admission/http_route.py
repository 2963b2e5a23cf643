"""One HTTP route of a VirtualService, as Istio's webhook judges it.

Source: istio pkg/config/validation, virtualservice.go and validation.go.
"""

import http
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meshconfig.admission import formats
from meshconfig.admission.header_values import check_one_authority, check_operations, cors_name, matched_name
from meshconfig.admission.parts import (
    Part,
    check_destination,
    check_destinations,
    check_durations,
    check_gateways,
    check_labels,
    check_regex,
    check_string,
    items,
    part,
)
from meshconfig.admission.refusals import At, Refusals
from meshconfig.admission.words import listed, not_of

Check = Callable[..., None]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
RETRY_ON = (
    "5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes "
    "retriable-headers envoy-ratelimited http3-post-connect-failure cancelled deadline-exceeded internal "
    "resource-exhausted unavailable"
).split()
GRPC_STATUS = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()
LONGEST_BODY = 1024 * 1024  # bytes
LEAST_PERCENTAGE = 0.0001
_ANSWERS = ("redirect", "directResponse")  # of the proxy itself, in place of `route`
_STATUS_CODES = frozenset(one.value for one in http.HTTPStatus)  # the same as Go's


def check_http_route(route: Part, at: At, out: Refusals, *, delegate: bool) -> None:
    """`delegate`: the VirtualService has no hosts, so that another one's routes lead to this."""
    _check_what_it_does(route, at, out, delegate=delegate)
    _check_fields(route, _PARTS, at, out)
    if route.get("headers") is not None:
        check_one_authority(route, at, out)
    if (redirect := route.get("redirect")) is not None:
        _check_redirect(redirect, items(route, "match"), (at, "redirect"), out)


def _check_what_it_does(route: Part, at: At, out: Refusals, *, delegate: bool) -> None:
    answers = [name for name in _ANSWERS if name in route and route[name] is not None]
    given = ["route", *answers] if route.get("route") else answers
    if route.get("delegate") is not None:
        if delegate:
            out.contradiction(
                (at, "delegate"), "a VirtualService without hosts is a delegate: it cannot delegate again"
            )
        else:
            _check_root(route, at, out)
            return
    if not given:
        matched = " (a dash too many before route?)" if route.get("match") else ""
        out.missing(at, f"route, redirect or directResponse is missing{matched}: the route does nothing")
    elif len(given) > 1:
        out.contradiction(
            (at, given[1]), f"takes one of route, redirect and directResponse, not {listed(given, 'and')}"
        )
    for other in ("fault", "rewrite") if answers else ():
        if route.get(other) is not None:
            out.contradiction((at, other), f"has no effect beside {answers[0]}, which Istio refuses: delete one")
    if route.get("mirror") is not None and items(route, "mirrors"):
        out.contradiction((at, "mirror"), "takes mirror or mirrors, not both: put it into mirrors")


def _check_root(route: Part, at: At, out: Refusals) -> None:
    """A route that delegates."""
    for other in ("redirect", "route"):
        if route.get(other) is not None and (other == "redirect" or route[other]):
            out.contradiction((at, other), "the delegate decides where requests go: delete this or delegate")


def _check_fields(value: Part, checks: Mapping[str, Check], at: At, out: Refusals) -> None:
    """Checks the fields that are given. Most routes and matches have two or three of all that Istio knows."""
    for name, given in value.items():
        if given is not None and (check := checks.get(name)) is not None:
            check(given, (at, name), out)


def _check_matches(matches: Sequence[Part], at: At, out: Refusals) -> None:
    for number, match in enumerate(matches):
        _check_fields(match, _IN_MATCH, (at, number), out)


def _check_headers(headers: Part, at: At, out: Refusals) -> None:
    for name, text in headers.items():
        out.bad((at, name), matched_name(name))
        check_string(text, (at, name), out)


def _check_absent(headers: Part, at: At, out: Refusals) -> None:
    for name, text in headers.items():
        out.bad((at, name), matched_name(name))
        # Without the header, whatever its value: the one place for which Istio takes `regex: "*"`.
        if (text or {}).get("regex") != "*":
            check_string(text, (at, name), out)


def _check_query(query: Part, at: At, out: Refusals) -> None:
    for name, text in query.items():
        check_string(text, (at, name), out)


def _check_uri(uri: Part, at: At, out: Refusals) -> None:
    check_string(uri, at, out, empty_prefix=True)


def _check_source_namespace(namespace: str, at: At, out: Refusals) -> None:
    if namespace and not formats.is_dns_label(namespace):
        out.bad(at, f"{namespace!r} is not a namespace's name")


def _check_port(port: float, at: At, out: Refusals) -> None:
    if port:
        out.bad(at, formats.port(port))


def check_where(match: Part, at: At, out: Refusals) -> None:
    """What the matches of http, tls and tcp have in common: the port, the callers and the Gateways."""
    _check_fields(match, _WHERE, at, out)


def _check_destinations(routes: Sequence[Part], at: At, out: Refusals) -> None:
    check_destinations(routes, at, out, check_operations)


def _check_timeout(text: str, at: At, out: Refusals) -> None:
    out.bad(at, formats.whole_milliseconds(text))


def _check_percentage(value: Part | None, at: At, out: Refusals) -> None:
    share = (value or {}).get("value") or 0
    if not 0 <= share <= 100 or 0 < share < LEAST_PERCENTAGE:
        out.bad((at, "value"), f"takes 0, or {LEAST_PERCENTAGE} to 100, not {share}")


def _check_mirrored(value: Part | None, at: At, out: Refusals) -> None:
    share = (value or {}).get("value") or 0
    if not 0 <= share <= 100:
        out.bad((at, "value"), f"takes 0 to 100, not {share}")


def _check_mirror_percent(value: int, at: At, out: Refusals) -> None:
    if value > 100:
        out.bad(at, f"takes 0 to 100, not {value}")


def _check_mirrors(mirrors: Sequence[Part], at: At, out: Refusals) -> None:
    for number, one in enumerate(mirrors):
        check_destination(one.get("destination"), ((at, number), "destination"), out)
        _check_mirrored(one.get("percentage"), ((at, number), "percentage"), out)


def _check_cors(policy: Part, at: At, out: Refusals) -> None:
    for number, origin in enumerate(items(policy, "allowOrigins")):
        here = ((at, "allowOrigins"), number)
        if not any(origin.get(name) for name in ("exact", "prefix", "regex")):
            out.missing(here, "an origin is missing: {exact: https://example.com}")
        elif (text := origin.get("regex")) is not None:
            check_regex(text, (here, "regex"), out)
    for number, method in enumerate(items(policy, "allowMethods")):
        if method not in METHODS:
            out.bad(((at, "allowMethods"), number), not_of(method, METHODS))
    for field in ("allowHeaders", "exposeHeaders"):
        for number, name in enumerate(items(policy, field)):
            out.bad(((at, field), number), cors_name(name))
    if (age := policy.get("maxAge")) is not None:
        found = formats.parsed_duration(age)
        if found is not None and found % 1:
            out.bad((at, "maxAge"), f"takes whole seconds, not {age}")


def _check_fault(fault: Part, at: At, out: Refusals) -> None:
    abort, delay = fault.get("abort"), fault.get("delay")
    if abort is None and delay is None:
        out.missing(at, "abort or delay is missing: abort: {httpStatus: 503, percentage: {value: 10}}")
    if abort is not None:
        _check_abort(abort, (at, "abort"), out)
    if delay is not None:
        _check_percentage(delay.get("percentage"), ((at, "delay"), "percentage"), out)
        check_durations(delay, ("fixedDelay",), (at, "delay"), out)
        if delay.get("exponentialDelay") is not None:
            out.bad(((at, "delay"), "exponentialDelay"), "Istio does not have it yet: write fixedDelay")


def _check_abort(abort: Part, at: At, out: Refusals) -> None:
    _check_percentage(abort.get("percentage"), (at, "percentage"), out)
    if (status := abort.get("httpStatus")) is not None:
        out.bad((at, "httpStatus"), _status(status))
    if (grpc := abort.get("grpcStatus")) is not None and grpc not in GRPC_STATUS:
        out.bad((at, "grpcStatus"), not_of(grpc, GRPC_STATUS))
    if abort.get("http2Error") is not None:
        out.bad((at, "http2Error"), "Istio does not have it yet: write httpStatus")


def _status(status: int) -> str:
    return "" if 200 <= status <= 600 else f"takes a status from 200 to 599, not {status}"


def _check_retries(retries: Part, at: At, out: Refusals) -> None:
    attempts = retries.get("attempts") or 0
    if attempts < 0:
        out.bad((at, "attempts"), f"takes 0 or more, not {attempts}")
    idle = [one for one in ("perTryTimeout", "retryOn", "retryRemoteLocalities") if _is_set(retries.get(one))]
    if attempts == 0 and idle:
        out.contradiction(
            (at, "attempts"), f"0 attempts are no retries, so delete {listed(idle, 'and')} or say how many"
        )
    check_durations(retries, ("perTryTimeout", "backoff"), at, out)
    for policy in (retries.get("retryOn") or "").split(",") if retries.get("retryOn") else ():
        if policy not in RETRY_ON and not _is_status(policy):
            out.bad((at, "retryOn"), not_of(policy, RETRY_ON))


def _is_set(value: Any) -> bool:
    return value is not None and value != ""


def _is_status(text: str) -> bool:
    try:
        return text.strip() == text and "_" not in text and int(text) in _STATUS_CODES
    except ValueError:
        return False


def _check_redirect(redirect: Part, matches: Sequence[Part], at: At, out: Refusals) -> None:
    uri, prefix, code = (redirect.get(name) for name in ("uri", "prefixRewrite", "redirectCode"))
    to = [one for one in ("uri", "prefixRewrite", "authority", "scheme") if redirect.get(one)]
    matched = [text for one in matches if (text := one.get("uri")) is not None]
    if uri and prefix:
        out.contradiction(at, "takes uri or prefixRewrite, not both")
    elif prefix and any(text.get("prefix") is None for text in matched):
        out.contradiction((at, "prefixRewrite"), "replaces a prefix: every match on uri has to be a prefix")
    elif not to and redirect.get("port") is None and redirect.get("derivePort") is None:
        out.missing(at, "leads nowhere: give uri, authority, scheme or port")
    elif code and not 300 <= code <= 399:
        out.bad((at, "redirectCode"), f"takes a status from 300 to 399, not {code}")
    elif (scheme := redirect.get("scheme")) and scheme not in ("http", "https"):
        out.bad((at, "scheme"), f"takes http or https, not {scheme!r}")
    elif port := redirect.get("port"):
        out.bad((at, "port"), formats.port(port))


def _check_direct_response(answer: Part, at: At, out: Refusals) -> None:
    body = part(answer, "body")
    size = len((body.get("string") or "").encode()) or len(body.get("bytes") or "") * 3 // 4
    if size > LONGEST_BODY:
        out.bad((at, "body"), f"takes at most 1 MiB, not {size} bytes")
    if (status := answer.get("status")) is not None:
        out.bad((at, "status"), _status(status))


def _check_rewrite(rewrite: Part, at: At, out: Refusals) -> None:
    uri, regex = rewrite.get("uri"), rewrite.get("uriRegexRewrite")
    if uri and regex is not None:
        out.contradiction(at, "takes uri or uriRegexRewrite, not both")
    elif not uri and regex is None and not rewrite.get("authority"):
        out.missing(at, "rewrites nothing: give uri, uriRegexRewrite or authority")
    elif regex is not None:
        for name in ("match", "rewrite"):
            if not regex.get(name):
                out.missing((at, "uriRegexRewrite"), f"{name} is missing: {{match: ^/old/(.*)$, rewrite: '/new/\\1'}}")
        if regex.get("match") and regex.get("rewrite"):
            check_regex(regex["match"], ((at, "uriRegexRewrite"), "match"), out)


_WHERE: dict[str, Check] = {"port": _check_port, "sourceLabels": check_labels, "gateways": check_gateways}
_IN_MATCH: dict[str, Check] = {
    **_WHERE,
    **dict.fromkeys(("scheme", "method", "authority"), check_string),
    "headers": _check_headers,
    "withoutHeaders": _check_absent,
    "queryParams": _check_query,
    "uri": _check_uri,
    "sourceNamespace": _check_source_namespace,
}
_PARTS: dict[str, Check] = {
    "match": _check_matches,
    "route": _check_destinations,
    "headers": check_operations,
    "timeout": _check_timeout,
    "corsPolicy": _check_cors,
    "fault": _check_fault,
    "mirror": check_destination,
    "mirrorPercent": _check_mirror_percent,
    "mirror_percent": _check_mirror_percent,  # the CRD has this name too
    "mirrorPercentage": _check_mirrored,
    "mirrors": _check_mirrors,
    "retries": _check_retries,
    "directResponse": _check_direct_response,
    "rewrite": _check_rewrite,
}
