"""What a group does to requests: route tables, subsets, Gateways. Frozen values without Kubernetes shapes.

`compile` makes them from a spec. A backend lifts them from the resources in a cluster and lowers them to resources.
Everything that reads or changes routes (plan, status, lint's origins, the barrier's evidence) works on them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from meshconfig.load import FieldPath

IstioFields = Mapping[str, Any]  # fields of Istio's resources that graylane passes through unchanged
NO_FIELDS: IstioFields = {}
Carries = Literal["header", "baggage", "both", "none"]  # in which headers a service reads the tag and passes it on


@dataclass(frozen=True, slots=True)
class StringMatch:
    """A condition on one string.

    Parameters:
        kind: `exact`, `prefix`, `regex` (RE2, must match the whole string), or `present` for any value. `other` is a
            match of a live resource that has none of these shapes.
        value: what to compare with; empty for `present`, the JSON text of the match for `other`.
    """

    kind: Literal["exact", "prefix", "regex", "present", "other"]
    value: str = ""


Named = tuple[tuple[str, StringMatch], ...]  # by name, sorted: an API server does not keep the order of a mapping


def named(matches: Mapping[str, StringMatch]) -> Named:
    """Matches sorted by name, so that equal mappings give equal values."""
    return tuple(sorted(matches.items()))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a request. All that is given must hold.

    Parameters:
        headers, query: matches on headers and on query parameters, by name.
        claims: claims of the JWT that the gateway has verified.
        absent: headers that must not match.
        fields: further fields of Istio's HTTPMatchRequest, as a live resource has them.
    """

    path: StringMatch | None = None
    method: str | None = None
    headers: Named = ()
    query: Named = ()
    claims: Named = ()
    absent: Named = ()
    fields: IstioFields = field(default_factory=dict, hash=False)  # a dict has no hash

    @property
    def always(self) -> bool:
        """Whether every request fulfils the condition."""
        return self == _ALWAYS


_ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class SetTag:
    """The proxy sets the tag's header to this value, whatever came in.

    Parameters:
        baggage: it also replaces the W3C baggage header by the tag's member.
    """

    value: str
    baggage: bool = False


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """The proxy removes the tag's header.

    Parameters:
        baggage: it also removes the W3C baggage header.
    """

    baggage: bool = False


TagChange = SetTag | RemoveTag | None  # None: the tag's header goes on as it came
TRAIL = "x-graylane-trail"  # the response header that names the versions that answered: SERVICE/VERSION, one line a hop


@dataclass(frozen=True, slots=True)
class Target:
    """A destination of a route, with its share of the route's requests.

    Parameters:
        port: None where a live resource names none.
        subset: empty for all Pods of the Service.
        weight: relative to the weights of the other targets; None where the route has only this target.
        tag: what happens to the tag's header of a request that goes here.
        trail: the value that is added to the response header `TRAIL`; empty for none.
        set_cookie: the value of a `Set-Cookie` that is added to responses; empty for none.
        fields: further fields of Istio's HTTPRouteDestination, as a live resource has them.
        authority: the host with which a request leaves the mesh here; empty for a target inside.
    """

    host: str
    port: int | None
    subset: str = ""
    weight: int | None = None
    tag: TagChange = None
    trail: str = ""
    set_cookie: str = ""
    fields: IstioFields = field(default_factory=dict)
    authority: str = ""


class RouteKind(StrEnum):
    """What a route is for."""

    LANE = "lane"  # requests with the lane's tag
    LINK = "link"  # an entry's link into a lane, which sets the lane's cookie; without a key, a link into no lane
    COOKIE = "cookie"  # requests with the lane's cookie
    ADMIT = "admit"  # requests that match an item of an entry's `admit`
    RULE = "rule"  # requests that match a service's rule
    BUCKET = "bucket"  # requests with the cookie of a bucket, which a sticky split gives to one lane or version
    DEFAULT = "default"  # all other requests
    UNKNOWN = "unknown"  # a route of a live resource that graylane did not write


class RouteId(NamedTuple):
    """The identity of a route within its table.

    Parameters:
        key: the lane's name, the number of an admit or a rule (from 1), or the name of an unknown route; empty for the
            default route and for links into no lane. Of buckets, LANE, or LANE:VERSION where they choose a version.
        generation: the tag generation (`next` in `gray.next`) to which the route is limited; empty for plain tags.
    """

    kind: RouteKind
    key: str = ""
    generation: str = ""


class Origin(NamedTuple):
    """Where in the spec a route comes from.

    Parameters:
        field: the path of the field that asks for the route.
        service: the spec's name of the service that the route leads to.
        path_route: at an entry, the index of the route's item in `routes`; None between services.
    """

    field: FieldPath
    service: str
    path_route: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a table. The first route in the table that has a condition that holds takes the request.

    Parameters:
        conditions: one of them must hold; empty for a route that takes every request.
        targets: where the requests go; empty for a refusal.
        refusal: the text of a 503 that the proxy answers instead, for a strict lane that has no version here; empty
            for any other route.
        rewrite: what replaces the matched path; None to leave the path.
        fields: further fields of Istio's HTTPRoute: the service's policy, or what a live resource has.
        origin: None for a route of a live resource.
    """

    id: RouteId
    conditions: tuple[Condition, ...] = ()
    targets: tuple[Target, ...] = ()
    refusal: str = ""
    rewrite: str | None = None
    fields: IstioFields = field(default_factory=dict)
    origin: Origin | None = field(default=None, compare=False, repr=False)


class Name(NamedTuple):
    """The namespace and name of a table's resources in a cluster."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes of one host between services, or of one entry's hosts at a gateway.

    Parameters:
        gateways: `mesh` for requests between services, `namespace/name` of a Gateway for requests from outside.
        lifted: the rest of the live resource that the table was lifted from; None for a compiled one.
    """

    name: Name
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[Route, ...]
    lifted: IstioFields | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The first host, in lower case."""
        return next(iter(self.hosts), "").lower()


@dataclass(frozen=True, slots=True)
class Failover:
    """How a subset with two versions' Pods spreads requests: first to the healthy Pods with the labels `prefer`."""

    prefer: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subset:
    """The Pods of one version, or of two of them for a lane that falls back at run time.

    Parameters:
        labels: the labels that its Pods have, sorted.
        failover: None for a subset of one version.
        fields: further fields of Istio's Subset, as a live resource has them; None for a compiled subset.
        version: the spec's version that it comes from; empty for a subset of a live resource.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    failover: Failover | None = None
    fields: IstioFields | None = None
    version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SubsetTable:
    """All subsets of one host.

    Parameters:
        policy: Istio's TrafficPolicy for all of them.
        lifted: the rest of the live resource that the table was lifted from; None for a compiled one.
    """

    name: Name
    host: str
    subsets: tuple[Subset, ...]
    policy: IstioFields = field(default_factory=dict)
    lifted: IstioFields | None = field(default=None, repr=False)

    @property
    def by_name(self) -> dict[str, Subset]:
        """The subsets by name."""
        return {subset.name: subset for subset in self.subsets}


@dataclass(frozen=True, slots=True)
class OutsideHost:
    """A host outside the mesh that proxies are to know.

    Parameters:
        port: the port that callers use, in plain HTTP.
        target_port: the port of the host.
        address: the host whose addresses it has; empty for its own.
    """

    name: Name
    host: str
    port: int
    target_port: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler of one version. `cpu`: average utilization in percent of what its Pods request."""

    name: Name
    min_replicas: int
    max_replicas: int
    cpu: int


@dataclass(frozen=True, slots=True)
class Listener:
    """One server of a Gateway that graylane makes.

    Parameters:
        tls_mode: Istio's TLS mode; empty for plain HTTP.
        credential: the name of the TLS Secret.
        redirect: the server redirects all requests to https.
    """

    port: int
    tls_mode: str = ""
    credential: str = ""
    redirect: bool = False


@dataclass(frozen=True, slots=True)
class OwnGateway:
    """A Gateway that graylane makes for one entry; `selector` has the labels of the gateway's Pods."""

    name: Name
    selector: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...]
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who consumes one topic. `lanes`: the group or queue of the baseline, and of each lane that has its own."""

    name: str
    kind: str
    topic: str
    lanes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is meant to consume which lane's messages, for the consumers and producers of a group to read."""

    name: Name
    baseline: str
    consumers: tuple[Consumer, ...]

    def as_json(self) -> dict[str, Any]:
        """{"baseline", "consumers": {NAME: {"kind", "topic", "lanes": {LANE: GROUP OR QUEUE}}}}"""
        consumers = {
            one.name: {"kind": one.kind, "topic": one.topic, "lanes": dict(one.lanes)} for one in self.consumers
        }
        return {"baseline": self.baseline, "consumers": consumers}


@dataclass(frozen=True, slots=True)
class OpaqueResource:
    """A live resource of which graylane reads only the kind and the name."""

    kind: str
    name: Name
    manifest: IstioFields


Table = RouteTable | SubsetTable | OwnGateway | OutsideHost | Autoscaler | Roster | OpaqueResource


@dataclass(frozen=True, slots=True)
class RoutingState:
    """All tables of a group: those that a cluster has, or those that it is to have.

    Parameters:
        mesh: the route tables between services.
        entries: the route tables at gateways.
        subsets, gateways, autoscalers: the subset tables, Gateways and autoscalers of the group.
        rosters: at most one: who consumes which lane's messages.
        outside: the hosts outside the mesh; each has a subset table of the same name.
        egress: the route tables at egress gateways, by which requests leave the mesh.
    """

    mesh: Mapping[Name, RouteTable] = field(default_factory=dict)
    entries: Mapping[Name, RouteTable] = field(default_factory=dict)
    subsets: Mapping[Name, SubsetTable] = field(default_factory=dict)
    gateways: Mapping[Name, OwnGateway | OpaqueResource] = field(default_factory=dict)
    autoscalers: Mapping[Name, Autoscaler | OpaqueResource] = field(default_factory=dict)
    rosters: Mapping[Name, Roster | OpaqueResource] = field(default_factory=dict)
    outside: Mapping[Name, OutsideHost | OpaqueResource] = field(default_factory=dict)
    egress: Mapping[Name, RouteTable] = field(default_factory=dict)

    @property
    def route_tables(self) -> Iterable[RouteTable]:
        return (*self.mesh.values(), *self.entries.values(), *self.egress.values())

    @property
    def tables(self) -> Iterable[Table]:
        """All tables, in an order in which a first apply can create them: what a route needs comes before the route."""
        return (
            *self.subsets.values(),
            *self.outside.values(),
            *self.egress.values(),
            *self.mesh.values(),
            *self.gateways.values(),
            *self.entries.values(),
            *self.autoscalers.values(),
            *self.rosters.values(),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the group.

    Parameters:
        name: the service's name in the spec.
        resource: the namespace and name of its resources in the cluster.
        host: the host of its Kubernetes Service, fully qualified.
        routes: its routes for requests between services.
        calls: the names of the services that it calls.
        traffic_policy: Istio's TrafficPolicy for all its subsets.
        carries: the headers in which it reads the tag and passes it on.
        outside: its hosts, where it is outside the mesh.
    """

    name: str
    resource: Name
    host: str
    port: int
    subsets: tuple[Subset, ...]
    routes: tuple[Route, ...]
    calls: tuple[str, ...] = ()
    traffic_policy: IstioFields = field(default_factory=dict)
    autoscalers: tuple[Autoscaler, ...] = ()
    carries: Carries = "both"
    outside: "Outside | None" = None

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_table(self) -> RouteTable:
        return RouteTable(self.resource, (self.host,), ("mesh",), self.routes)

    @property
    def mesh_tables(self) -> tuple[RouteTable, ...]:
        """The routes between services: of its host, and outside the mesh of the hosts of its versions too."""
        return (self.route_table, *(self.outside.own if self.outside else ()))

    @property
    def subset_tables(self) -> tuple[SubsetTable, ...]:
        """The subsets of its host; outside the mesh those of each of its hosts."""
        if self.outside:
            return self.outside.subsets
        return (SubsetTable(self.resource, self.host, self.subsets, self.traffic_policy),)

    def version_of(self, target: Target) -> str:
        """The version, or the subset of two versions, that a live target of its routes leads to; empty for any."""
        hosts = {table.host: table.subsets[0].version for table in self.outside.subsets} if self.outside else {}
        return target.subset or hosts.get(target.authority, "")


@dataclass(frozen=True, slots=True)
class Outside:
    """What a service outside the mesh has: its hosts, their subsets, and the routes of the versions' own hosts.

    Parameters:
        own: the routes of hosts that callers may name instead of the service's.
        egress: the routes at its egress gateway; empty without one.
    """

    hosts: tuple[OutsideHost, ...]
    subsets: tuple[SubsetTable, ...]
    own: tuple[RouteTable, ...]
    egress: tuple[RouteTable, ...]


@dataclass(frozen=True, slots=True)
class LaneHost:
    """A host of an entry whose requests are all in one lane."""

    resource: Name
    host: str
    lane: str
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: where traffic from outside comes in.

    Parameters:
        gateway: `namespace/name` of its Gateway.
        own: that Gateway, where graylane makes it; None for one that exists.
        lane_hosts: a host for each lane, beside `hosts`; empty where the spec asks for none.
    """

    resource: Name
    hosts: tuple[str, ...]
    gateway: str
    routes: tuple[Route, ...]
    own: OwnGateway | None = None
    lane_hosts: tuple[LaneHost, ...] = ()

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_tables(self) -> tuple[RouteTable, ...]:
        """The table of the entry's hosts, then one for each lane's host."""
        own = RouteTable(self.resource, self.hosts, (self.gateway,), self.routes)
        others = (RouteTable(one.resource, (one.host,), (self.gateway,), one.routes) for one in self.lane_hosts)
        return (own, *others)


@dataclass(frozen=True, slots=True)
class Model:
    """All that one group compiles to.

    Parameters:
        group: the group's name.
        namespace: the group's namespace.
        tag: the name of the tag's header.
        baseline: the lane of requests without a tag.
        baggage: routes ask for the tag in W3C baggage too, where the header is absent.
        consumers: who consumes which topic.
    """

    group: str
    namespace: str
    tag: str
    baseline: str
    services: tuple[Service, ...]
    entries: tuple[Entry, ...]
    baggage: bool = False
    consumers: tuple[Consumer, ...] = ()

    @property
    def roster(self) -> Roster | None:
        """Who consumes which lane's messages; None for a group without consumers."""
        name = Name(self.namespace, f"{self.group}-consumers")
        return Roster(name, self.baseline, self.consumers) if self.consumers else None

    def routing(self) -> RoutingState:
        """The group's tables, each under the name of its resource."""
        return RoutingState(
            mesh={table.name: table for one in self.services for table in one.mesh_tables},
            entries={table.name: table for one in self.entries for table in one.route_tables},
            subsets={table.name: table for one in self.services for table in one.subset_tables},
            gateways={one.own.name: one.own for one in self.entries if one.own},
            autoscalers={one.name: one for service in self.services for one in service.autoscalers},
            rosters={self.roster.name: self.roster} if self.roster else {},
            outside={one.name: one for service in self.services if service.outside for one in service.outside.hosts},
            egress={one.name: one for service in self.services if service.outside for one in service.outside.egress},
        )
