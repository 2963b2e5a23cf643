"""What one match of a rule becomes: a route as VirtualServices have it.

Source: istio/istio pilot/pkg/config/kube/gateway/conversion.go, convertHTTPRoute and what it calls.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.baggage import quoted
from meshconfig.istio.gateway_api_types import (
    BackendReference,
    Filter,
    GRPCMethodMatch,
    GRPCRouteMatch,
    GRPCRouteRule,
    HeaderModifier,
    NamedMatch,
    PathMatch,
    PathModifier,
    RequestRedirect,
    RouteMatch,
    RouteRule,
    URLRewrite,
    WeightedBackend,
)
from meshconfig.istio.hosts import ServiceName
from meshconfig.istio.resources import ISTIO_GROUP
from meshconfig.istio.types import (
    Destination,
    HeaderOperations,
    Headers,
    HTTPDirectResponse,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRewrite,
    HTTPRouteDestination,
    MirrorPolicy,
    PathElements,
    PortSelector,
    RefusedBackend,
    RegexRewrite,
    RouteOfGatewayAPI,
    StringMatch,
)

ROOT = "/"
NO_BACKEND = 500
_EXACT, _PREFIX, _REGEX = "Exact", "PathPrefix", "RegularExpression"
_RETRIED = ("connect-failure", "refused-stream", "unavailable", "cancelled")
_DEFAULT_RETRIES = 2


class InvalidRouteError(ValueError):
    """A rule that makes istiod take nothing of its route."""


@dataclass(frozen=True)
class Backends:
    """What backends may be used.

    Parameters:
        namespace: the namespace of the route.
        granted: whether a route may lead to a Service of another namespace; None between services, where Istio does
            not ask.
    """

    kind: str
    namespace: str
    granted: "Grants | None"


@dataclass(frozen=True)
class Grants:
    """The leaves that ReferenceGrants give: kind and namespace of the route, namespace and name of the Service."""

    given: frozenset[tuple[str, str, str, str]]

    def allow(self, route: Backends, namespace: str, name: str) -> bool:
        """Whether a route may lead to a Service of another namespace."""
        return any((route.kind, route.namespace, namespace, each) in self.given for each in (name, ""))


def routes(rule: RouteRule | GRPCRouteRule, written: str, backends: Backends) -> Iterator[RouteOfGatewayAPI]:
    """The routes of a rule, one for each of its matches.

    Parameters:
        written: the rule's place, for people.

    Raises:
        InvalidRouteError: istiod takes none of the route's rules.
    """
    action = _action(rule, backends)
    matches: Iterable[RouteMatch | GRPCRouteMatch] = rule.matches or (
        (RouteMatch.model_construct(),) if isinstance(rule, RouteRule) else ()
    )
    found: list[HTTPMatchRequest | None] = [_match(one) for one in matches]
    for match in found or [None]:
        parts = {**action, **_rewritten(rule.filters, match)}
        yield RouteOfGatewayAPI.model_construct(
            name=rule.name, written=written, match=() if match is None else (match,), **parts
        )


def _match(match: RouteMatch | GRPCRouteMatch) -> HTTPMatchRequest:
    if isinstance(match, GRPCRouteMatch):
        uri = _grpc_uri(match.method) if match.method else None
        return HTTPMatchRequest.model_construct(uri=uri, headers=_strings(match.headers))
    method = StringMatch.model_construct(exact=match.method) if match.method else None
    return HTTPMatchRequest.model_construct(
        uri=_uri(match.path),
        method=method,
        headers=_strings(match.headers),
        query_params=_strings(match.query_params),
    )


def _uri(path: PathMatch) -> StringMatch:
    if path.type == _EXACT:
        return StringMatch.model_construct(exact=path.value)
    if path.type == _REGEX:
        return StringMatch.model_construct(regex=path.value)
    if path.type != _PREFIX:
        raise InvalidRouteError(f"there is no type {path.type} of paths")
    if path.value == ROOT:
        return StringMatch.model_construct(prefix=ROOT)
    return PathElements.model_construct(prefix=path.value.removesuffix("/"))


def _grpc_uri(method: GRPCMethodMatch) -> StringMatch:
    service, name = method.service, method.method
    if not (service or name):
        raise InvalidRouteError("a gRPC match has a service or a method")
    if not service:
        return StringMatch.model_construct(regex=f"/[^/]+/{name}")
    if method.type == _REGEX:
        return StringMatch.model_construct(regex=f"/{service}/{name or '.+'}")
    if not name:
        return PathElements.model_construct(prefix=f"/{service}")
    return StringMatch.model_construct(exact=f"/{service}/{name}")


def _strings(matches: Iterable[NamedMatch]) -> dict[str, StringMatch]:
    found: dict[str, StringMatch] = {}
    for one in matches:
        if one.type not in (_EXACT, _REGEX):
            raise InvalidRouteError(f"there is no type {one.type} of matches")
        exact = one.type == _EXACT
        found[one.name] = (
            StringMatch.model_construct(exact=one.value) if exact else StringMatch.model_construct(regex=one.value)
        )
    return found


def _action(rule: RouteRule | GRPCRouteRule, backends: Backends) -> dict[str, Any]:
    """What a rule does, but for the path, which depends on the match."""
    found: dict[str, Any] = {"headers": _headers(rule.filters)}
    redirect = next((one.request_redirect for one in rule.filters if one.type == "RequestRedirect"), None)
    for one in rule.filters:
        if one.type not in _FILTERS[isinstance(rule, RouteRule)]:
            raise InvalidRouteError(f"Istio has no filter {one.type or 'without a type'} for a rule")
    if redirect:
        found["redirect"] = _redirect(redirect)
    if copies := tuple(_mirrors(rule.filters, backends)):
        found["mirrors"] = copies
    if cors := next((one.cors for one in rule.filters if one.type == "CORS"), None):
        found["cors_policy"] = cors
    if isinstance(rule, RouteRule):
        found.update(_times(rule))
    if not redirect:
        found.update(_destinations(rule.backend_refs, backends))
    return found


_MODIFIERS = frozenset({"RequestHeaderModifier", "ResponseHeaderModifier"})
_FILTERS = {
    True: _MODIFIERS | {"RequestRedirect", "RequestMirror", "URLRewrite", "CORS"},
    False: _MODIFIERS | {"RequestMirror"},
}


def _headers(filters: Iterable[Filter]) -> Headers:
    request = response = HeaderOperations.model_construct()
    for one in filters:
        if one.type == "RequestHeaderModifier" and one.request_header_modifier:
            request = _operations(one.request_header_modifier)
        elif one.type == "ResponseHeaderModifier" and one.response_header_modifier:
            response = _operations(one.response_header_modifier)
    return Headers.model_construct(request=request, response=response)


def _operations(given: HeaderModifier) -> HeaderOperations:
    """The operations; of several for one header, the first counts."""
    return HeaderOperations.model_construct(
        set={one.name.lower(): one.value for one in reversed(given.set)},
        add={one.name.lower(): one.value for one in reversed(given.add)},
        remove=given.remove,
    )


def _redirect(given: RequestRedirect) -> HTTPRedirect:
    path = given.path
    derive = "" if given.port else "FROM_PROTOCOL_DEFAULT" if given.scheme else "FROM_REQUEST_PORT"
    return HTTPRedirect.model_construct(
        uri=(path.replace_full_path or "") if path and path.type == "ReplaceFullPath" else "",
        prefix_rewrite=(path.replace_prefix_match or "") if path and path.type == "ReplacePrefixMatch" else "",
        authority=given.hostname,
        scheme=given.scheme,
        port=given.port,
        derive_port=derive,
        redirect_code=given.status_code,
    )


def _rewritten(filters: Iterable[Filter], match: HTTPMatchRequest | None) -> Mapping[str, HTTPRewrite]:
    given = next((one.url_rewrite for one in filters if one.type == "URLRewrite"), None)
    if given is None or not (given.hostname or given.path):
        return {}
    return {"rewrite": _rewrite(given, given.path, match)}


def _rewrite(given: URLRewrite, path: PathModifier | None, match: HTTPMatchRequest | None) -> HTTPRewrite:
    uri, regex = "", None
    if path and path.type == "ReplaceFullPath":
        regex = RegexRewrite.model_construct(match="/.*", rewrite=path.replace_full_path or "")
    elif path and path.type == "ReplacePrefixMatch":
        uri = (path.replace_prefix_match or "").removesuffix("/")
        if not uri:
            # The prefix is taken away, and what is left keeps its slash.
            prefix = match.uri.prefix if match and isinstance(match.uri, PathElements) else ""
            regex = RegexRewrite.model_construct(match=f"^{quoted(prefix or '')}(/?)(.*)", rewrite=r"/\2")
    return HTTPRewrite.model_construct(uri=uri, authority=given.hostname, uri_regex_rewrite=regex)


def _mirrors(filters: Iterable[Filter], backends: Backends) -> Iterator[MirrorPolicy]:
    for given in (one.request_mirror for one in filters if one.type == "RequestMirror"):
        if given is None or isinstance(target := destination(given.backend_ref, backends), RefusedBackend):
            continue  # istiod leaves the copies away
        share = None
        if given.fraction:
            share = 100 * given.fraction.numerator / given.fraction.denominator
        elif given.percent is not None:
            share = float(given.percent)
        percentage = None if share is None else {"value": share}
        yield MirrorPolicy.model_construct(destination=target, percentage=percentage)


def _times(rule: RouteRule) -> dict[str, Any]:
    found: dict[str, Any] = {}
    times = rule.timeouts
    if rule.retry is not None:
        attempts = _DEFAULT_RETRIES if rule.retry.attempts is None else rule.retry.attempts
        codes = map(str, rule.retry.codes)
        found["retries"] = {"attempts": attempts, "retryOn": ",".join((*_RETRIED, *codes)) if attempts else ""}
        if rule.retry.backoff:
            found["retries"]["backoff"] = rule.retry.backoff
    if times and times.request not in ("", "0s"):
        found["timeout"] = times.request
    if times and times.backend_request not in ("", "0s"):
        if "retries" in found:
            found["retries"]["perTryTimeout"] = times.backend_request
        else:
            found["timeout"] = times.backend_request
    return found


def _destinations(refs: Iterable[WeightedBackend], backends: Backends) -> Mapping[str, Any]:
    used = [one for one in refs if one.weight]
    if not used:
        return {"direct_response": HTTPDirectResponse.model_construct(status=NO_BACKEND)}
    return {"route": tuple(_weighted(one, len(used) > 1, backends) for one in used)}


def _weighted(one: WeightedBackend, several: bool, backends: Backends) -> HTTPRouteDestination:
    for each in one.filters:
        if each.type not in _MODIFIERS:
            raise InvalidRouteError(f"Istio has no filter {each.type or 'without a type'} for a backend")
    weight = one.weight if several else None
    return HTTPRouteDestination.model_construct(
        destination=destination(one, backends), weight=weight, headers=_headers(one.filters)
    )


def destination(ref: BackendReference, backends: Backends) -> Destination:
    """Where a reference leads.

    Raises:
        InvalidRouteError: it is written so that istiod takes nothing of the route.
    """
    port = PortSelector.model_construct(number=ref.port)
    if (ref.group, ref.kind) == (ISTIO_GROUP, "Hostname"):
        if ref.namespace is not None:
            raise InvalidRouteError("a backend of kind Hostname has no namespace")
        host = ref.name
    elif (ref.group, ref.kind) == ("", "Service"):
        namespace = ref.namespace or backends.namespace
        if "." in ref.name:
            raise InvalidRouteError(f"{ref.name} is not the name of a Service, but a host")
        other = namespace != backends.namespace
        if other and backends.granted and not backends.granted.allow(backends, namespace, ref.name):
            return _refused(
                f"no ReferenceGrant in namespace {namespace} lets {backends.kind}s of namespace {backends.namespace} "
                f"lead to Service {ref.name}"
            )
        host = ServiceName(ref.name, namespace).host
    else:
        return _refused(f"Istio sends no requests to a {ref.kind} of {ref.group or 'the core group'}")
    if ref.port is None:
        raise InvalidRouteError(f"the backend {ref.name} has no port")
    return Destination.model_construct(host=host, port=port)


def _refused(why: str) -> RefusedBackend:
    return RefusedBackend.model_construct(host="", why=why)
