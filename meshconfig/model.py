"""What a group does to requests: route tables, subsets, Gateways. No Kubernetes shapes; frozen values.

`compile` makes them from a spec, a backend lifts them from what a cluster has, and everything that reads or changes
routes (plan, status, lint's origins, the barrier's evidence) works on them. A backend lowers them to resources.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from meshconfig.load import FieldPath

IstioFields = Mapping[str, Any]  # fields of Istio that are passed through as they are
NO_FIELDS: IstioFields = {}


@dataclass(frozen=True, slots=True)
class StringMatch:
    """A condition on one string: `exact`, `prefix`, `regex` (RE2, the whole of it), or that it is there at all.

    `other` is a match of a live resource that has none of these shapes; `value` is its JSON text.
    """

    kind: Literal["exact", "prefix", "regex", "present", "other"]
    value: str = ""


Named = tuple[tuple[str, StringMatch], ...]  # by name, sorted: an API server does not keep the order of a mapping


def named(matches: Mapping[str, StringMatch]) -> Named:
    """Matches by name, in the one order in which two of them are equal."""
    return tuple(sorted(matches.items()))


@dataclass(frozen=True, slots=True)
class Condition:
    """All of it must hold.

    Parameters:
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
    fields: IstioFields = field(default_factory=dict)

    @property
    def always(self) -> bool:
        """Every request fulfils it."""
        return self == _ALWAYS


_ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class SetTag:
    """The tag goes on as this one value, whatever came in."""

    value: str


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """The tag goes no further."""


TagChange = SetTag | RemoveTag | None  # None: it goes on as it came
TRAIL = "x-graylane-trail"  # the response header that names who answered: SERVICE/VERSION, a line a hop


@dataclass(frozen=True, slots=True)
class Target:
    """A share of a route's requests.

    Parameters:
        port: None where a live resource names none.
        subset: empty for all Pods of the Service.
        weight: relative to the other targets'; None where the route has this target alone.
        trail: the value of the response header that names who answered; empty for none.
        fields: further fields of Istio's HTTPRouteDestination, as a live resource has them.
    """

    host: str
    port: int | None
    subset: str = ""
    weight: int | None = None
    tag: TagChange = None
    trail: str = ""
    fields: IstioFields = field(default_factory=dict)


class RouteKind(StrEnum):
    """What a route is for."""

    LANE = "lane"  # who has the lane's tag
    ADMIT = "admit"  # who matches an entry's `admit`
    RULE = "rule"  # who matches a service's rule
    DEFAULT = "default"  # everybody else
    UNKNOWN = "unknown"  # a route of a live resource that graylane has not made


class RouteId(NamedTuple):
    """Which route it is.

    Parameters:
        key: the lane's name, the number of an admit or a rule (from 1), or the name of an unknown route.
        generation: the tag generation whose requests alone it takes; empty for the plain tags.
    """

    kind: RouteKind
    key: str = ""
    generation: str = ""


class Origin(NamedTuple):
    """Where in the spec a route comes from.

    Parameters:
        field: the field that asks for the route.
        service: the spec's name of the service whose policy, host and port it has.
        path_route: at an entry, the index of the item of `routes` that it belongs to.
    """

    field: FieldPath
    service: str
    path_route: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The first route of which any condition holds takes the request; no condition means every request.

    Parameters:
        refusal: answers 503 with this text instead of sending the request on: a strict lane without a version here.
        rewrite: what replaces the matched path.
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
    """Where a table stands in a cluster."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes of one host between services, or of one entry's hosts at a gateway.

    Parameters:
        gateways: `mesh` for requests between services, `namespace/name` of a Gateway for those from outside.
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
    """A subset that spreads over several versions' Pods and prefers those with `prefer`, while they are healthy."""

    prefer: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subset:
    """The Pods of one version, or of two of them for a lane that falls back at run time.

    Parameters:
        fields: further fields of Istio's Subset, as a live resource has them; None for a compiled subset.
        version: the spec's version that it comes from; empty for a live one.
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
        return {subset.name: subset for subset in self.subsets}


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler of one version. `cpu`: average utilization in percent of what its Pods request."""

    name: Name
    min_replicas: int
    max_replicas: int
    cpu: int


@dataclass(frozen=True, slots=True)
class Listener:
    """One server of an own Gateway. `credential` names the TLS secret; `redirect` answers with https."""

    port: int
    tls_mode: str = ""
    credential: str = ""
    redirect: bool = False


@dataclass(frozen=True, slots=True)
class OwnGateway:
    """A Gateway that is made for one entry."""

    name: Name
    selector: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...]
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class OpaqueResource:
    """A live resource of which only the place is read."""

    kind: str
    name: Name
    manifest: IstioFields


Table = RouteTable | SubsetTable | OwnGateway | Autoscaler | OpaqueResource


@dataclass(frozen=True, slots=True)
class RoutingState:
    """All that a group has, or shall have, in a cluster.

    Parameters:
        mesh: the route tables between services.
        entries: the route tables at gateways.
        subsets, gateways, autoscalers: what the routes lead to and come from.
    """

    mesh: Mapping[Name, RouteTable] = field(default_factory=dict)
    entries: Mapping[Name, RouteTable] = field(default_factory=dict)
    subsets: Mapping[Name, SubsetTable] = field(default_factory=dict)
    gateways: Mapping[Name, OwnGateway | OpaqueResource] = field(default_factory=dict)
    autoscalers: Mapping[Name, Autoscaler | OpaqueResource] = field(default_factory=dict)

    @property
    def route_tables(self) -> Iterable[RouteTable]:
        return (*self.mesh.values(), *self.entries.values())

    @property
    def tables(self) -> Iterable[Table]:
        """Everything, in the order in which a first apply may create it."""
        return (
            *self.subsets.values(),
            *self.mesh.values(),
            *self.gateways.values(),
            *self.entries.values(),
            *self.autoscalers.values(),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """One Service of the mesh. `name` is the spec's word for it, `resource` that of its resources in the cluster."""

    name: str
    resource: Name
    host: str
    port: int
    subsets: tuple[Subset, ...]
    routes: tuple[Route, ...]
    calls: tuple[str, ...] = ()
    traffic_policy: IstioFields = field(default_factory=dict)
    autoscalers: tuple[Autoscaler, ...] = ()

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_table(self) -> RouteTable:
        return RouteTable(self.resource, (self.host,), ("mesh",), self.routes)

    @property
    def subset_table(self) -> SubsetTable:
        return SubsetTable(self.resource, self.host, self.subsets, self.traffic_policy)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where outside traffic comes in: `gateway` is `namespace/name`, `own` the Gateway that is made for it."""

    resource: Name
    hosts: tuple[str, ...]
    gateway: str
    routes: tuple[Route, ...]
    own: OwnGateway | None = None

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_table(self) -> RouteTable:
        return RouteTable(self.resource, self.hosts, (self.gateway,), self.routes)


@dataclass(frozen=True, slots=True)
class Model:
    """All that one group compiles to.

    Parameters:
        tag: the name of the tag's header.
        baseline: the lane of requests without a tag.
    """

    group: str
    namespace: str
    tag: str
    baseline: str
    services: tuple[Service, ...]
    entries: tuple[Entry, ...]

    def routing(self) -> RoutingState:
        """The group's tables."""
        return RoutingState(
            mesh={one.resource: one.route_table for one in self.services},
            entries={one.resource: one.route_table for one in self.entries},
            subsets={one.resource: one.subset_table for one in self.services},
            gateways={one.own.name: one.own for one in self.entries if one.own},
            autoscalers={one.name: one for service in self.services for one in service.autoscalers},
        )
