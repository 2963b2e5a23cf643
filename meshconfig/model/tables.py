"""Tables: what one resource in a cluster holds, each under its name, and all tables of a group together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from meshconfig.istio.hosts import covers
from meshconfig.load import FieldPath
from meshconfig.model.routes import IstioFields, Route


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
        port: the port of the service whose host it is, or of an own Gateway with several; None in a lifted table.
        listener: the listener of an existing Gateway of the Gateway API; empty for all of its listeners.
        protocol: `http`, or `grpc` for the routes between services of one that speaks it.
    """

    name: Name
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[Route, ...]
    lifted: IstioFields | None = field(default=None, repr=False)
    port: int | None = field(default=None, compare=False)
    listener: str = field(default="", compare=False)
    protocol: str = field(default="http", compare=False)

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
class ServicePort:
    """What the Service of a host has besides its name, for a backend that makes a Service for each version.

    Parameters:
        target: the port of the Pods, by number or name.
        selector: the Service's own selector, sorted; empty where the labels of a version are enough.
        protocol: `http` or `grpc`.
    """

    port: int
    target: int | str
    selector: tuple[tuple[str, str], ...]
    protocol: str = "http"


@dataclass(frozen=True, slots=True)
class SubsetTable:
    """All subsets of one host.

    Parameters:
        policy: Istio's TrafficPolicy for all of them.
        lifted: the rest of the live resource that the table was lifted from; None for a compiled one.
        served: the Service of the host; None outside the mesh, and in a lifted table.
    """

    name: Name
    host: str
    subsets: tuple[Subset, ...]
    policy: IstioFields = field(default_factory=dict)
    lifted: IstioFields | None = field(default=None, repr=False)
    served: ServicePort | None = field(default=None, compare=False)

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
    """A Gateway that graylane makes for one entry.

    Parameters:
        selector: the labels of the gateway's Pods, for Istio's Gateway.
        class_name: the GatewayClass, for a Gateway of the Gateway API, which makes the Pods too.
        hosts: those of the entry.
        lanes: those of its lanes, or the wildcard that is served in their place.
        origin: the spec's field that gives the hosts.
    """

    name: Name
    selector: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...]
    listeners: tuple[Listener, ...]
    class_name: str = "istio"
    lanes: tuple[str, ...] = ()
    origin: FieldPath = field(default=(), compare=False)

    @property
    def served(self) -> tuple[str, ...]:
        """What it serves: the entry's hosts, and of its lanes' what none of these covers."""
        return (*self.hosts, *(host for host in self.lanes if not any(covers(one, host) for one in self.hosts)))


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


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave for the routes of one namespace to lead to Services of another.

    Parameters:
        name: its namespace is that of the Services.
        namespace: that of the routes.
        services: host and subset of each destination, sorted; empty for every Service of the namespace.
        lifted: the live resource and its `services`; None for one that is made.
    """

    name: Name
    namespace: str
    services: tuple[tuple[str, str], ...]
    lifted: IstioFields | None = field(default=None, compare=False, repr=False)


Table = RouteTable | SubsetTable | OwnGateway | OutsideHost | Autoscaler | Roster | Grant | OpaqueResource


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
        grants: leaves for entries to lead to other namespaces, for a backend that asks for them.
    """

    mesh: Mapping[Name, RouteTable] = field(default_factory=dict)
    entries: Mapping[Name, RouteTable] = field(default_factory=dict)
    subsets: Mapping[Name, SubsetTable] = field(default_factory=dict)
    gateways: Mapping[Name, OwnGateway | OpaqueResource] = field(default_factory=dict)
    autoscalers: Mapping[Name, Autoscaler | OpaqueResource] = field(default_factory=dict)
    rosters: Mapping[Name, Roster | OpaqueResource] = field(default_factory=dict)
    outside: Mapping[Name, OutsideHost | OpaqueResource] = field(default_factory=dict)
    egress: Mapping[Name, RouteTable] = field(default_factory=dict)
    grants: Mapping[Name, Grant] = field(default_factory=dict)

    @property
    def route_tables(self) -> Iterable[RouteTable]:
        return (*self.mesh.values(), *self.entries.values(), *self.egress.values())

    @property
    def tables(self) -> Iterable[Table]:
        """All tables, in an order in which a first apply can create them: what a route needs comes before the route."""
        return (
            *self.subsets.values(),
            *self.grants.values(),
            *self.outside.values(),
            *self.egress.values(),
            *self.mesh.values(),
            *self.gateways.values(),
            *self.entries.values(),
            *self.autoscalers.values(),
            *self.rosters.values(),
        )
