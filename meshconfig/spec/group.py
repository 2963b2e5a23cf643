"""`kind: LaneGroup`: which versions of which services exist, which lane uses which, and where traffic enters."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic.alias_generators import to_camel

from meshconfig.spec.base import (
    CheckedBy,
    DnsLabel,
    HeaderName,
    Items,
    Labels,
    PortNumber,
    Strict,
    WorkloadName,
    said,
)
from meshconfig.spec.consumer import Consumer, ConsumerInGroup
from meshconfig.spec.document import ClusterObject
from meshconfig.spec.duration import Duration
from meshconfig.spec.external import GATEWAY_NAME, External, OutsideHost, wrong_fields
from meshconfig.spec.match import METHOD, SLASH, AnyPath, EntryMatch, Match, PathMatch
from meshconfig.spec.service_in_group import ServiceInGroup, service_fqdn

Weight = Annotated[int, Field(ge=0, le=2**31 - 1)]
Weights = dict[str, Weight]
# A tag's value is LANE or LANE.GENERATION, so a lane's name has no dot.
LANE_NAME = said(
    r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$",
    "a name of letters, digits, - and _, at most 63, without a dot",
)
LaneName = Annotated[str, StringConstraints(pattern=LANE_NAME)]
HOST = r"^(\*|(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*)$"
said(HOST, "a host such as shop.example.com, *.example.com or *, in lower case, without http://, port and path")
_NAME = said(
    HOST.replace(r"\*|(\*\.)?", ""),
    "the name of a Service, such as cat-svc or cat-svc.demo.svc.cluster.local, in lower case, without a port or path",
)
ServiceHost = Annotated[str, StringConstraints(pattern=_NAME, max_length=253)]
EntryHost = Annotated[str, StringConstraints(pattern=HOST, max_length=253)]

# The given fields, under the names that Istio has for them.
PolicyFields = Annotated[Mapping[str, Any], CheckedBy("meshconfig.spec.istio_policy:Policy")]
TrafficPolicyFields = Annotated[Mapping[str, Any], CheckedBy("meshconfig.spec.istio_policy:TrafficPolicy")]

_PORT_NAME = said(r"^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$", "the name of a port, such as http, at most 15 characters")
PortName = Annotated[str, StringConstraints(pattern=_PORT_NAME)]
Protocol = Literal["http", "grpc"]
BackendName = Literal["istio", "gateway"]

LANE = "{lane}"  # stands for a lane's name in `laneHosts`
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LANE_HOSTS = said(
    rf"^([-a-z0-9]*\{{lane\}}[-a-z0-9]*)(\.{_LABEL})+$",
    "a host with {lane} in its first part, such as {lane}.shop.example.com or shop-{lane}.example.com",
)
_COOKIE = said(r"^[!#$%&'*+.^_`|~A-Za-z0-9-]+$", "the name of a cookie, such as lane, without a space, = or ;")
CookieName = Annotated[str, StringConstraints(pattern=_COOKIE, max_length=64)]
_LINKS = said(r"^(/[A-Za-z0-9._~-]+)+$", "a path such as /.lane, without / at its end")

# These headers cannot carry the tag: an entry overwrites and removes the tag's header, which would break their use. A
# test holds that propagation, which shares no code with this package, refuses the same ones.
TAKEN = frozenset(
    "authorization baggage connection content-encoding content-length content-type cookie expect host http2-settings "
    "keep-alive proxy-authenticate proxy-authorization proxy-connection set-cookie te traceparent tracestate trailer "
    "transfer-encoding upgrade www-authenticate x-graylane-trail".split()
)
# Those that every version of graylane refused. No stored spec has one of them, but maybe another one of TAKEN.
ALWAYS_TAKEN = frozenset("authorization baggage content-length content-type cookie host traceparent tracestate".split())


def of_its_own(header: str) -> str:
    """What is wrong with a header of TAKEN."""
    return f"{header} has a meaning of its own; a tag needs a header to itself"


class Tag(Strict):
    """The header that carries a lane's name (the tag), and the lane of requests without a tag."""

    header: HeaderName = "env"
    default: LaneName = "prod"
    baggage: bool = False

    @field_validator("header")
    @classmethod
    def _of_its_own(cls, header: str) -> str:
        if header in ALWAYS_TAKEN:
            raise ValueError(of_its_own(header))
        return header


class Lane(Strict):
    """The versions that requests with the lane's tag get; for a service not in `versions`, that of the lane's name."""

    versions: dict[str, DnsLabel] = {}
    mode: Literal["permissive", "strict"] = "permissive"
    fallback: Literal["compiled", "runtime"] = "compiled"


class Autoscale(Strict):
    """`min` and `max` bound the replicas; `cpu` is the average utilization, in percent of the CPU that Pods request."""

    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(ge=1)]
    cpu: Annotated[int, Field(ge=1)] = 80

    @model_validator(mode="after")
    def _ordered(self) -> "Autoscale":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Version(Strict):
    """One version of a service: its Deployment (`workload` or SERVICE-VERSION) and the labels of its Pods alone.

    A version of a service outside the mesh has a `host` instead.
    """

    labels: Annotated[Labels, Field(min_length=1)] = {}
    workload: WorkloadName | None = None
    autoscale: Autoscale | None = None
    fallback_labels: Labels | None = None
    host: OutsideHost | None = None

    @model_validator(mode="after")
    def _pods_or_host(self) -> "Version":
        if self.host is None and not self.labels:
            raise ValueError("needs labels, which its Pods alone carry (outside the mesh: host)")
        if self.host and (extra := self.model_fields_set - {"host"}):
            raise ValueError(f"host names a version outside the mesh: {to_camel(min(extra))} is for Pods")
        return self


class Rule(Strict):
    """Requests that match go to versions by these weights. Lanes are tried before rules, the service's weights last."""

    match: Match
    weights: Weights


class CopiedTo(Strict):
    """A version that gets copies of the requests of no lane; its answers are thrown away."""

    version: str
    percent: Annotated[float, Field(gt=0, le=100, strict=False)] = 100


class ServiceSpec(Strict):
    """One Kubernetes Service and its versions; `weights` or `default`, else the baseline, routes untagged requests.

    With `external` it is outside the mesh: `host` is what callers call in plain HTTP, and each version is a host.
    `carries`: the headers in which it reads the tag and passes it on to the services that it calls. `protocol`,
    `selector` and `targetPort` are those of the Service, for the backend `gateway`: it makes one for each version.
    """

    host: ServiceHost
    port: PortNumber
    calls: Items[str] = ()
    carries: Literal["header", "baggage", "both", "none"] = "both"
    versions: Annotated[dict[DnsLabel, Version], Field(min_length=1)]
    default: str | None = None
    weights: Weights | None = None
    rules: Items[Rule] = ()
    mirror: CopiedTo | None = None
    external: External | None = None
    protocol: Protocol = "http"
    selector: Labels = {}
    target_port: PortNumber | PortName | None = None
    policy: PolicyFields = {}
    traffic_policy: TrafficPolicyFields = {}

    @model_validator(mode="after")
    def _inside_or_outside(self) -> "ServiceSpec":
        if wrong := next(wrong_fields(self), None):
            raise ValueError(wrong)
        return self


REDIRECTED = 80  # the port on which httpsRedirect listens


_GATEWAY_PART = said(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "the name of a GatewayClass or of a listener, such as istio or http, in lower case",
)
GatewayPart = Annotated[str, StringConstraints(pattern=_GATEWAY_PART, max_length=253)]


class GatewayTls(Strict):
    """Istio's ServerTLSSettings, as far as an entry needs them. `httpsRedirect` adds a port 80 that redirects."""

    mode: Literal["SIMPLE", "MUTUAL"]
    credential_name: str
    https_redirect: bool = False


class GatewayRef(Strict):
    """A Gateway that graylane makes (`selector` or `class`, `port`, `tls`), or an existing one (`use: namespace/name`).

    `selector` has the Pods of Istio's Gateway; `class` and `listener` are for a Gateway of the Gateway API. Each
    backend reads its own, so that a spec may have both.
    """

    selector: Labels = {"istio": "ingressgateway"}
    class_name: Annotated[GatewayPart, Field(alias="class")] = "istio"
    port: PortNumber | None = None
    tls: GatewayTls | None = None
    use: Annotated[str, StringConstraints(pattern=GATEWAY_NAME)] | None = None
    listener: GatewayPart | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "GatewayRef":
        extra = {GatewayRef.model_fields[name].alias or name for name in self.model_fields_set - {"use", "listener"}}
        if self.use and extra:
            raise ValueError(f"use names a Gateway that exists: {', '.join(sorted(extra))} would have no effect")
        if self.listener and not self.use:
            raise ValueError("listener is one of a Gateway that exists: give use: NAMESPACE/NAME too")
        if self.port == REDIRECTED and self.tls and self.tls.https_redirect:
            raise ValueError(f"httpsRedirect listens on port {REDIRECTED}: give TLS another port")
        return self


class Admit(Strict):
    """Puts untagged requests that match into a lane: the entry sets the lane's tag on them."""

    lane: str
    match: EntryMatch


class PathRoute(Strict):
    """The service that answers a path (default: every path); `rewrite` replaces the matched prefix or exact path."""

    path: AnyPath = PathMatch.model_construct(prefix="/")
    service: str
    method: str | None = Field(default=None, pattern=METHOD)
    rewrite: str | None = Field(default=None, pattern=SLASH)


SHORTEST_AGE = 1.0  # seconds; a cookie's Max-Age counts whole ones, and 0 takes the cookie away


class Sticky(Strict):
    """Keeps each user where a split has put them: a cookie has the number of the user's bucket.

    A share is a number of `buckets`. The first lane of `order` (default: by name) has those from 0 up, the second those
    from the last down, the baseline what is between. The baseline in `order` keeps an end free.

    Parameters:
        max_age: seconds for which a browser keeps the cookie.
        domain: the cookie's Domain; None for the one host that has set it.
    """

    cookie: CookieName = "graylane-bucket"
    buckets: Annotated[int, Field(ge=2, le=100)] = 100
    max_age: Duration = 30 * 86400.0
    order: Items[LaneName] = ()
    domain: ServiceHost | None = None

    @field_validator("max_age")
    @classmethod
    def _whole_seconds(cls, age: float) -> float:
        if age < SHORTEST_AGE:
            raise ValueError("takes a second or more: a cookie's Max-Age counts whole seconds")
        return age

    @field_validator("order")
    @classmethod
    def _two_ends(cls, order: tuple[str, ...]) -> tuple[str, ...]:
        if len(order) > 2:
            raise ValueError(f"takes at most two lanes, one from bucket 0 up and one from the last down: {len(order)}")
        if len({*order}) < len(order):
            raise ValueError(f"names {order[0]} twice")
        return order


class Entry(Strict):
    """Where traffic from outside comes in: hosts at a gateway, and the services behind their paths.

    `baggage`: `replace` sets W3C baggage to the tag alone or removes it; `keep` lets members of others in.
    `cookie`, `links` and `laneHosts` are a browser's ways into a lane. `sticky` keeps a user where `split` put them.
    """

    hosts: Annotated[Items[EntryHost], Field(min_length=1)]
    gateway: GatewayRef = GatewayRef.model_construct()
    tag: Literal["trusted", "untrusted"] = "trusted"
    baggage: Literal["replace", "keep"] = "replace"
    cookie: CookieName | None = None
    links: Annotated[str, StringConstraints(pattern=_LINKS, max_length=128)] | None = None
    lane_hosts: Annotated[str, StringConstraints(pattern=_LANE_HOSTS, max_length=253)] | None = None
    admit: Items[Admit] = ()
    split: Weights | None = None
    sticky: Sticky | None = None
    routes: Annotated[Items[PathRoute], Field(min_length=1)]

    @model_validator(mode="after")
    def _links_set_a_cookie(self) -> "Entry":
        if self.links and not self.cookie:
            raise ValueError("links needs cookie: a link sets the cookie that puts a browser into a lane")
        return self

    @model_validator(mode="after")
    def _two_cookies(self) -> "Entry":
        if self.sticky and self.sticky.cookie == self.cookie:
            raise ValueError(f"sticky.cookie is {self.cookie}, as the cookie of lanes: give the buckets another one")
        return self


_IMAGES = said(
    r"^[A-Za-z0-9][-._A-Za-z0-9]*(:[0-9]+)?(/[-._A-Za-z0-9]+)*$",
    "a registry or a part of its names, such as registry.example.com/team, without a tag and without / at its end",
)
ImagePrefix = Annotated[str, StringConstraints(pattern=_IMAGES, max_length=512)]


class Limits(Strict):
    """What preview lanes may do to a group: how many of them it has, and where the images that they name come from."""

    previews: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    images: Items[ImagePrefix] = ()


class GroupSpec(Strict):
    """The spec of a group; with `trail`, responses to tagged requests name in a header the versions that answered.

    `drift`: whether the controller takes back what somebody changed in the group's resources, or only reports it.

    `backend`: the family of resources that it becomes, Istio's own or those of the Kubernetes Gateway API.
    """

    backend: BackendName = "istio"
    tag: Tag = Tag.model_construct()
    trail: bool = False
    lanes: Annotated[dict[LaneName, Lane], Field(min_length=1)]
    services: Annotated[dict[DnsLabel, ServiceSpec], Field(min_length=1)]
    entries: Items[Entry] = ()
    consumers: dict[DnsLabel, Consumer] = {}
    drift: Literal["correct", "report"] = "correct"
    limits: Limits = Limits.model_construct()


class Envelope(ClusterObject):
    """The fields that every document of a group has, where a group is spread over several documents."""

    kind: Literal["LaneGroup"]


class LaneGroup(Envelope):
    """The whole spec of one group of services that share their lanes."""

    spec: GroupSpec

    def service(self, name: str) -> ServiceInGroup:
        """One service of the group, which knows the group's lanes.

        Raises:
            KeyError: the group has no service of this name.
        """
        spec = self.spec.services[name]
        host = spec.host if spec.external else service_fqdn(spec.host, self.metadata.namespace)
        return ServiceInGroup(name, spec, self, host)

    def inside(self) -> list[ServiceInGroup]:
        """The services that are in the mesh, in the order of the spec."""
        return [self.service(name) for name, spec in self.spec.services.items() if not spec.external]

    def of_backend(self, backend: str) -> "LaneGroup":
        """The same spec for a backend."""
        return self.model_copy(update={"spec": self.spec.model_copy(update={"backend": backend})})

    def consumer(self, name: str) -> ConsumerInGroup:
        """One consumer of the group, which knows the group's lanes.

        Raises:
            KeyError: the group has no consumer of this name.
        """
        return ConsumerInGroup(name, self.spec.consumers[name], self)
