"""Istio's and Kubernetes' resources as this package reads them: typed, frozen, of any origin.

The field names and their meaning are those of Istio's `networking.istio.io/v1` reference. What is not modelled stays
readable in `model_extra`, so that nobody downstream takes "not modelled" for "not there".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from meshconfig.errors import InputError, Location, Problem, dotted

CLUSTER_DOMAIN = "svc.cluster.local"
MESH = "mesh"  # Istio's reserved gateway name for "all sidecars"
Manifest = Mapping[str, Any]


class Source(Protocol):
    """Whatever knows where a field of a manifest stands: `meshconfig.load.Document`."""

    def locate(self, path: Sequence[str | int]) -> Location: ...


class View(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True)


class StringMatch(View):
    """`exact`, `prefix` or `regex` (RE2, on the whole value); none of them set means "is present"."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class HTTPMatchRequest(View):
    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: dict[str, StringMatch] = {}
    without_headers: dict[str, StringMatch] = {}
    query_params: dict[str, StringMatch] = {}
    ignore_uri_case: bool = False
    port: int | None = None
    gateways: tuple[str, ...] = ()
    source_labels: dict[str, str] = {}
    source_namespace: str = ""


class HeaderOperations(View):
    set: dict[str, str] = {}
    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


# One value for all who leave the field out: pydantic would copy a default in depth for each.
_NO_OPERATIONS = HeaderOperations()


class Headers(View):
    request: HeaderOperations = Field(default_factory=lambda: _NO_OPERATIONS)
    response: HeaderOperations = Field(default_factory=lambda: _NO_OPERATIONS)


_NO_HEADERS = Headers()


class PortSelector(View):
    number: int | None = None


class Destination(View):
    host: str
    subset: str = ""
    port: PortSelector = PortSelector()


class HTTPRouteDestination(View):
    destination: Destination
    weight: int | None = None
    headers: Headers = Field(default_factory=lambda: _NO_HEADERS)


class MirrorPolicy(View):
    destination: Destination
    percentage: dict[str, Any] | None = None


class OtherRouteDestination(View):
    destination: Destination


class OtherRoute(View):
    """A route of `tcp` or `tls`, as far as it is read here: where it leads."""

    route: tuple[OtherRouteDestination, ...] = ()


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


class VirtualServiceSpec(View):
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tcp: tuple[OtherRoute, ...] = ()
    tls: tuple[OtherRoute, ...] = ()
    export_to: tuple[str, ...] = ()


class Subset(View):
    name: str
    labels: dict[str, str] = {}
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
    selector: dict[str, str] = {}
    servers: tuple[Server, ...] = ()


class ServicePort(View):
    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str = ""
    target_port: int | str | None = None


class ServiceSpec(View):
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    type: str = "ClusterIP"
    cluster_ip: str = Field(default="", alias="clusterIP")


class ServiceEntrySpec(View):
    hosts: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    export_to: tuple[str, ...] = ()


class PodTemplateMeta(View):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(View):
    metadata: PodTemplateMeta = PodTemplateMeta()


class WorkloadSpec(View):
    """A Deployment, StatefulSet or DaemonSet, as far as routing sees it: the labels that its Pods carry."""

    template: PodTemplate = PodTemplate()
    replicas: int | None = None


class Nothing(View):
    """The spec of a kind that is read for its name and labels alone."""


class Metadata(View):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


S = TypeVar("S", bound=View, covariant=True)


@dataclass(frozen=True, slots=True)
class Resource(Generic[S]):
    """One resource: its metadata, its spec as this package reads it, and the manifest as it was written."""

    kind: str
    metadata: Metadata
    spec: S
    manifest: Manifest = field(repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    def locate(self, *path: str | int) -> Location:
        """Where a field stands in its file; a resource that came from no file is named instead."""
        return self.source.locate(path) if self.source else Location(str(self))


VirtualService = Resource[VirtualServiceSpec]
DestinationRule = Resource[DestinationRuleSpec]
Gateway = Resource[GatewaySpec]
Service = Resource[ServiceSpec]
ServiceEntry = Resource[ServiceEntrySpec]
Workload = Resource[WorkloadSpec]
Namespace = Resource[Nothing]

ISTIO_GROUP = "networking.istio.io"
WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet")

# (API group, kind) → how its spec is read. The core group's name is empty.
_SPECS: dict[tuple[str, str], type[View]] = {
    (ISTIO_GROUP, "VirtualService"): VirtualServiceSpec,
    (ISTIO_GROUP, "DestinationRule"): DestinationRuleSpec,
    (ISTIO_GROUP, "Gateway"): GatewaySpec,
    (ISTIO_GROUP, "ServiceEntry"): ServiceEntrySpec,
    ("", "Service"): ServiceSpec,
    ("", "Namespace"): Nothing,
    **{("apps", kind): WorkloadSpec for kind in WORKLOAD_KINDS},
}


@dataclass(frozen=True, slots=True)
class Resources:
    """A set of resources, sorted by what they are; kinds that no routing decision reads are in `others`."""

    virtual_services: tuple[VirtualService, ...] = ()
    destination_rules: tuple[DestinationRule, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    services: tuple[Service, ...] = ()
    service_entries: tuple[ServiceEntry, ...] = ()
    workloads: tuple[Workload, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    others: tuple[Resource[Nothing], ...] = ()

    @classmethod
    def parse(
        cls, manifests: Iterable[Manifest | tuple[Manifest, Source]], *, default_namespace: str = "default"
    ) -> "Resources":
        """Read manifests, bare or each with the source that knows its lines. `kind: List` is opened.

        Raises:
            InputError: a field of a type that Istio's or Kubernetes' API would refuse, with its place.
        """
        found: dict[str, list[Resource[Any]]] = {}
        for item in manifests:
            manifest, source = item if isinstance(item, tuple) else (item, None)
            for one, place in _opened(manifest, source):
                resource = _resource(one, place, default_namespace)
                found.setdefault(resource.kind, []).append(resource)
        return cls(
            virtual_services=tuple(found.pop("VirtualService", ())),
            destination_rules=tuple(found.pop("DestinationRule", ())),
            gateways=tuple(found.pop("Gateway", ())),
            services=tuple(found.pop("Service", ())),
            service_entries=tuple(found.pop("ServiceEntry", ())),
            workloads=tuple(one for kind in WORKLOAD_KINDS for one in found.pop(kind, ())),
            namespaces=tuple(found.pop("Namespace", ())),
            others=tuple(one for kind in sorted(found) for one in found[kind]),
        )


def fqdn(host: str, namespace: str) -> str:
    """A host as Istio resolves it: a name without dots is a Service of the resource's own namespace.

    Source: Istio, Destination.host ("short names ... interpreted based on the namespace of the rule").
    """
    if "." in host or "*" in host or not host:
        return host
    return f"{host}.{namespace}.{CLUSTER_DOMAIN}"


def is_mesh(spec: VirtualServiceSpec) -> bool:
    """Does it apply to sidecars? Without `gateways` it does."""
    return not spec.gateways or MESH in spec.gateways


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a `kind: List`."""

    source: Source
    index: int

    def locate(self, path: Sequence[str | int]) -> Location:
        return self.source.locate(("items", self.index, *path))


def _opened(manifest: Manifest, source: Source | None) -> Iterable[tuple[Manifest, Source | None]]:
    items = manifest.get("items") if isinstance(manifest, Mapping) else None
    if not isinstance(items, list):
        return [(manifest, source)]
    return [(item, _Item(source, index) if source else None) for index, item in enumerate(items)]


def _resource(manifest: Manifest, source: Source | None, default_namespace: str) -> Resource[Any]:
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("kind"), str):
        place = source.locate(()) if source else Location("resource")
        raise InputError([Problem(place, "kind", "not a Kubernetes resource: it has no kind")])
    kind, group = manifest["kind"], str(manifest.get("apiVersion", "")).rpartition("/")[0]
    model = _SPECS.get((group, kind))
    # A namesake from another API group (the Gateway API's Gateway, Knative's Service) is not ours to read.
    kind = kind if model or not any(kind == known for _, known in _SPECS) else f"{kind}.{group}"
    metadata = _read(Metadata, manifest, "metadata", source)
    if kind != "Namespace" and not metadata.namespace:
        metadata = metadata.model_copy(update={"namespace": default_namespace})
    spec = _read(model, manifest, "spec", source) if model and model is not Nothing else Nothing()
    return Resource(kind, metadata, spec, manifest, source)


V = TypeVar("V", bound=View)


def _read(model: type[V], manifest: Manifest, part: str, source: Source | None) -> V:
    value = manifest.get(part) or {}
    try:
        return model.model_validate(value)
    except ValidationError:
        pass
    try:
        return model.model_validate(_without_nulls(value))
    except ValidationError as error:
        metadata = manifest.get("metadata")
        name = f"{manifest.get('kind')} {metadata.get('name', '') if isinstance(metadata, Mapping) else ''}"
        raise InputError(
            Problem(source.locate((part, *e["loc"])) if source else Location(name), dotted((part, *e["loc"])), e["msg"])
            for e in error.errors(include_url=False)
        ) from None


def _without_nulls(value: Any) -> Any:
    """As Kubernetes reads it: a field that is null (`labels:` and nothing behind it) is not there."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value
