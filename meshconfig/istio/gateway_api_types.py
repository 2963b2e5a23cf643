"""The `spec` of the Gateway API's kinds that routing reads: typed, frozen, lenient, as in `types`.

Field names and meaning are those of `gateway.networking.k8s.io/v1`.
"""

from typing import Any

from pydantic import Field

from meshconfig.istio.types import View

GATEWAY_API = "gateway.networking.k8s.io"
GATEWAY_KIND = f"Gateway.{GATEWAY_API}"  # the name by which its Gateway is told from Istio's


class ParentReference(View):
    group: str = GATEWAY_API
    kind: str = "Gateway"
    namespace: str = ""
    name: str = ""
    section_name: str = ""
    port: int | None = None


class PathMatch(View):
    type: str = "PathPrefix"
    value: str = "/"


class NamedMatch(View):
    """A match on a header or a query parameter."""

    type: str = "Exact"
    name: str
    value: str = ""


class GRPCMethodMatch(View):
    type: str = "Exact"
    service: str = ""
    method: str = ""


class RouteMatch(View):
    path: PathMatch = PathMatch.model_construct()
    method: str | None = None
    headers: tuple[NamedMatch, ...] = ()
    query_params: tuple[NamedMatch, ...] = ()


class GRPCRouteMatch(View):
    method: GRPCMethodMatch | None = None
    headers: tuple[NamedMatch, ...] = ()


class HeaderValue(View):
    name: str
    value: str


class HeaderModifier(View):
    set: tuple[HeaderValue, ...] = ()
    add: tuple[HeaderValue, ...] = ()
    remove: tuple[str, ...] = ()


class PathModifier(View):
    type: str = ""
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class RequestRedirect(View):
    scheme: str = ""
    hostname: str = ""
    path: PathModifier | None = None
    port: int | None = None
    status_code: int = 302


class URLRewrite(View):
    hostname: str = ""
    path: PathModifier | None = None


class BackendReference(View):
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    name: str = ""
    port: int | None = None


class Fraction(View):
    numerator: int
    denominator: int = Field(default=100, ge=1)


class RequestMirror(View):
    backend_ref: BackendReference = BackendReference.model_construct()
    percent: int | None = None
    fraction: Fraction | None = None


class Filter(View):
    type: str = ""
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_mirror: RequestMirror | None = None
    request_redirect: RequestRedirect | None = None
    url_rewrite: URLRewrite | None = None
    cors: dict[str, Any] | None = None


class WeightedBackend(BackendReference):
    weight: int = 1
    filters: tuple[Filter, ...] = ()


class Timeouts(View):
    request: str = ""
    backend_request: str = ""


class Retry(View):
    attempts: int | None = None
    codes: tuple[int, ...] = ()
    backoff: str = ""


class RouteRule(View):
    name: str = ""
    matches: tuple[RouteMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[WeightedBackend, ...] = ()
    timeouts: Timeouts | None = None
    retry: Retry | None = None


class GRPCRouteRule(View):
    name: str = ""
    matches: tuple[GRPCRouteMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[WeightedBackend, ...] = ()


class HTTPRouteSpec(View):
    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    # The API server gives a route without rules one that takes every path.
    rules: tuple[RouteRule, ...] = (RouteRule.model_construct(),)


class GRPCRouteSpec(View):
    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[GRPCRouteRule, ...] = ()


class RouteKind(View):
    group: str = GATEWAY_API
    kind: str = ""


class RouteNamespaces(View):
    from_: str = Field(default="Same", alias="from")
    selector: dict[str, Any] | None = None


class AllowedRoutes(View):
    namespaces: RouteNamespaces = Field(default_factory=RouteNamespaces)
    kinds: tuple[RouteKind, ...] = ()


class ListenerTLS(View):
    mode: str = "Terminate"
    options: dict[str, str] = Field(default_factory=dict)


class Listener(View):
    name: str = ""
    hostname: str = ""
    port: int
    protocol: str = "HTTP"
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = Field(default_factory=AllowedRoutes)


class GatewayAPISpec(View):
    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()


class GrantFrom(View):
    group: str = ""
    kind: str = ""
    namespace: str = ""


class GrantTo(View):
    group: str = ""
    kind: str = ""
    name: str = ""


class ReferenceGrantSpec(View):
    from_: tuple[GrantFrom, ...] = Field(default=(), alias="from")
    to: tuple[GrantTo, ...] = ()


SPECS: dict[str, type[View]] = {
    "HTTPRoute": HTTPRouteSpec,
    "GRPCRoute": GRPCRouteSpec,
    "Gateway": GatewayAPISpec,
    "ReferenceGrant": ReferenceGrantSpec,
}
