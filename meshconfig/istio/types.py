"""The `spec` of each kind of Istio and Kubernetes that routing reads: typed, frozen, lenient.

The field names and their meaning are those of Istio's `networking.istio.io/v1` reference. What is not modelled stays
readable in `model_extra`, so that nobody downstream takes "not modelled" for "not there". The strict types of what a
person writes in a graylane spec are in `meshconfig.spec.istio_policy`; ADR 11 says why there are two sets.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class View(BaseModel):
    model_config = ConfigDict(
        extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


_HARMLESS = frozenset({"statPrefix"})


def unmodelled(view: View) -> list[str]:
    """The names of the fields that were written and are not modelled, but for those that change no request's way."""
    return [name for name in view.model_extra or () if name not in _HARMLESS]


class Metadata(View):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class StringMatch(View):
    """`exact`, `prefix` or `regex` (RE2, on the whole value); none of them set means "is present"."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PathElements(StringMatch):
    """A `prefix` of whole elements: `/a` takes `/a` and `/a/b`, and not `/ab`. What HTTPRoutes become has it.

    Source: pilot route.go, TranslateRouteMatch (UseGatewaySemantics).
    """


class HTTPMatchRequest(View):
    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: dict[str, StringMatch] = Field(default_factory=dict)
    without_headers: dict[str, StringMatch] = Field(default_factory=dict)
    query_params: dict[str, StringMatch] = Field(default_factory=dict)
    ignore_uri_case: bool = False
    port: int | None = None
    gateways: tuple[str, ...] = ()
    source_labels: dict[str, str] = Field(default_factory=dict)
    source_namespace: str = ""


class HeaderOperations(View):
    set: dict[str, str] = Field(default_factory=dict)
    add: dict[str, str] = Field(default_factory=dict)
    remove: tuple[str, ...] = ()


# One value for all who leave the field out: pydantic would copy a default in depth for each.
_NO_OPERATIONS = HeaderOperations.model_construct()


class Headers(View):
    request: HeaderOperations = Field(default_factory=lambda: _NO_OPERATIONS)
    response: HeaderOperations = Field(default_factory=lambda: _NO_OPERATIONS)


_NO_HEADERS = Headers.model_construct()


class PortSelector(View):
    number: int | None = None


class Destination(View):
    host: str
    subset: str = ""
    port: PortSelector = PortSelector.model_construct()


class RefusedBackend(Destination):
    """A backend of an HTTPRoute that may not be used: requests are answered 500. `why` says why."""

    host: str = ""
    why: str = ""


class HTTPRouteDestination(View):
    destination: Destination
    weight: int | None = None
    headers: Headers = Field(default_factory=lambda: _NO_HEADERS)


class MirrorPolicy(View):
    destination: Destination
    percentage: dict[str, Any] | None = None


class OtherRouteDestination(View):
    destination: Destination
    weight: int | None = None


class L4Match(View):
    """A match of a `tcp` route. Source: Istio, L4MatchAttributes."""

    destination_subnets: tuple[str, ...] = ()
    port: int | None = None
    source_labels: dict[str, str] = Field(default_factory=dict)
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TLSMatch(L4Match):
    """A match of a `tls` route. Source: Istio, TLSMatchAttributes."""

    sni_hosts: tuple[str, ...] = ()


class TCPRoute(View):
    match: tuple[L4Match, ...] = ()
    route: tuple[OtherRouteDestination, ...] = ()


class TLSRoute(TCPRoute):
    match: tuple[TLSMatch, ...] = ()


class RegexRewrite(View):
    match: str = ""
    rewrite: str = ""


class HTTPRewrite(View):
    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class HTTPRedirect(View):
    uri: str = ""
    authority: str = ""
    scheme: str = ""
    port: int | None = None
    derive_port: str = ""
    prefix_rewrite: str = ""
    redirect_code: int = 301


class HTTPBody(View):
    string: str | None = None
    bytes: str | None = None


class HTTPDirectResponse(View):
    status: int
    body: HTTPBody | None = None


class Delegate(View):
    name: str = ""
    namespace: str = ""


class HTTPRoute(View):
    name: str = ""
    match: tuple[HTTPMatchRequest, ...] = ()
    route: tuple[HTTPRouteDestination, ...] = ()
    redirect: HTTPRedirect | None = None
    direct_response: HTTPDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HTTPRewrite | None = None
    headers: Headers = Field(default_factory=lambda: _NO_HEADERS)
    timeout: str | None = None
    retries: dict[str, Any] | None = None
    fault: dict[str, Any] | None = None
    mirror: Destination | None = None
    mirror_percent: int | None = None
    mirror_percentage: dict[str, Any] | None = None
    mirrors: tuple[MirrorPolicy, ...] = ()
    cors_policy: dict[str, Any] | None = None


class RouteOfGatewayAPI(HTTPRoute):
    """A route that a rule of an HTTPRoute or a GRPCRoute becomes. `written`: the rule, as `HTTPRoute ns/name rules[0]`.

    Where the proxy has no cluster for its destination, it answers 500 and not 503.
    """

    written: str = ""


class VirtualServiceSpec(View):
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    export_to: tuple[str, ...] = ()


class Subset(View):
    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    traffic_policy: dict[str, Any] | None = None


class DestinationRuleSpec(View):
    host: str
    subsets: tuple[Subset, ...] = ()
    traffic_policy: dict[str, Any] | None = None
    export_to: tuple[str, ...] = ()
    workload_selector: dict[str, Any] | None = None


class Port(View):
    number: int
    name: str = ""
    protocol: str = ""


class ServerTLS(View):
    mode: str = ""
    credential_name: str = ""
    https_redirect: bool = False


class Server(View):
    name: str = ""
    bind: str = ""
    port: Port
    hosts: tuple[str, ...] = ()
    tls: ServerTLS | None = None


class GatewaySpec(View):
    selector: dict[str, str] = Field(default_factory=dict)
    servers: tuple[Server, ...] = ()


class ServicePort(View):
    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str = ""
    target_port: int | str | None = None


class ServiceSpec(View):
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = Field(default_factory=dict)
    type: str = "ClusterIP"
    cluster_ip: str = Field(default="", alias="clusterIP")
    external_name: str = ""


class EntryPort(Port):
    target_port: int | None = None


class EntryEndpoint(View):
    address: str = ""


class ServiceEntrySpec(View):
    hosts: tuple[str, ...] = ()
    ports: tuple[EntryPort, ...] = ()
    export_to: tuple[str, ...] = ()
    location: str = "MESH_EXTERNAL"
    resolution: str = "NONE"
    endpoints: tuple[EntryEndpoint, ...] = ()


class PodTemplateMeta(View):
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class PodTemplate(View):
    metadata: PodTemplateMeta = PodTemplateMeta.model_construct()


class WorkloadSpec(View):
    """A Deployment or anything else that makes Pods, as far as routing sees it: the labels that they carry."""

    template: PodTemplate = PodTemplate.model_construct()
    replicas: int | None = None


class Nothing(View):
    """The spec of a kind that is read for its name and labels alone."""
