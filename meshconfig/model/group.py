"""What a spec compiles to: services, entries and consumers, and the tables that they make."""

from dataclasses import dataclass, field

from meshconfig.istio.hosts import EVERY_HOST
from meshconfig.model.routes import Carries, IstioFields, Route, Target
from meshconfig.model.tables import (
    Autoscaler,
    Consumer,
    Name,
    OutsideHost,
    OwnGateway,
    Roster,
    RouteTable,
    RoutingState,
    ServicePort,
    Subset,
    SubsetTable,
)
from meshconfig.spec.base import Locate

ISTIO_BACKEND, GATEWAY_BACKEND = "istio", "gateway"
HOSTNAMES = 16  # Gateway API: of one HTTPRoute


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
        served: what its Kubernetes Service has; None outside the mesh.
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
    served: ServicePort | None = None

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_table(self) -> RouteTable:
        protocol = self.served.protocol if self.served else "http"
        return RouteTable(self.resource, (self.host,), ("mesh",), self.routes, port=self.port, protocol=protocol)

    @property
    def mesh_tables(self) -> tuple[RouteTable, ...]:
        """The routes between services: of its host, and outside the mesh of the hosts of its versions too."""
        return (self.route_table, *(self.outside.own if self.outside else ()))

    @property
    def subset_tables(self) -> tuple[SubsetTable, ...]:
        """The subsets of its host; outside the mesh those of each of its hosts."""
        if self.outside:
            return self.outside.subsets
        return (SubsetTable(self.resource, self.host, self.subsets, self.traffic_policy, served=self.served),)

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
        listener: the listener of an existing Gateway of the Gateway API; empty for all of its listeners.
        most_hosts: of one table; None where it may have any number.
    """

    resource: Name
    hosts: tuple[str, ...]
    gateway: str
    routes: tuple[Route, ...]
    own: OwnGateway | None = None
    lane_hosts: tuple[LaneHost, ...] = ()
    listener: str = ""
    most_hosts: int | None = None

    @property
    def namespace(self) -> str:
        return self.resource.namespace

    @property
    def route_tables(self) -> tuple[RouteTable, ...]:
        """The table of the entry's hosts, or the tables where these are too many for one; then one for each lane's."""
        several = self.own is not None and len(self.own.listeners) > 1
        port = self.own.listeners[0].port if self.own and several else None
        places = [(name, hosts, self.routes) for name, hosts in self._tables()]
        places += [(one.resource, (one.host,), one.routes) for one in self.lane_hosts]
        own, *others = (
            RouteTable(name, hosts, (self.gateway,), routes, port=port, listener=self.listener)
            for name, hosts, routes in places
        )
        return (own, *others)

    def _tables(self) -> list[tuple[Name, tuple[str, ...]]]:
        """The name and the hosts of each table.

        Where there are several, the hosts are sorted. Then hosts that come or go move others over one border between
        two tables in one direction alone, so that there is an order in which no host is without a table.
        """
        most = self.most_hosts
        if most is None or len(self.hosts) <= most or EVERY_HOST in self.hosts:
            return [(self.resource, self.hosts)]
        hosts = sorted(self.hosts)
        several = [tuple(hosts[start : start + most]) for start in range(0, len(hosts), most)]
        further = (self.resource._replace(name=f"{self.resource.name}.hosts-{n}") for n in range(2, len(several) + 1))
        return list(zip((self.resource, *further), several, strict=True))


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
        backend: the name of the backend that lowers its tables.
        locate: returns the file and line of a field of the spec, for what that backend cannot express.
    """

    group: str
    namespace: str
    tag: str
    baseline: str
    services: tuple[Service, ...]
    entries: tuple[Entry, ...]
    baggage: bool = False
    consumers: tuple[Consumer, ...] = ()
    backend: str = ISTIO_BACKEND
    locate: Locate | None = field(default=None, compare=False, repr=False)

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
