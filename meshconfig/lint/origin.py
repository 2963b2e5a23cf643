"""Where in a spec a field of a rendered resource comes from, so that a finding names what its author can change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from meshconfig.backend import Manifest
from meshconfig.errors import Location
from meshconfig.groups import Group
from meshconfig.load import FieldPath
from meshconfig.model import (
    Origin,
    OwnGateway,
    Roster,
    Route,
    RouteId,
    RouteKind,
    RouteTable,
    Service,
    Subset,
    SubsetTable,
    Table,
)
from meshconfig.render import lowered, owner
from meshconfig.spec.istio_policy import Policy

SERVICES: FieldPath = ("spec", "services")
ENTRIES: FieldPath = ("spec", "entries")
_POLICY = frozenset(info.alias or name for name, info in Policy.model_fields.items())


@dataclass(frozen=True)
class Rendered:
    """A resource that a group renders to.

    Parameters:
        table: what the resource was lowered from.
        service: the spec's name of its service; empty for an entry's.
        entry: its entry's index; None for a service's.
    """

    group: Group
    table: Table = field(repr=False)
    service: str = ""
    entry: int | None = None

    @property
    def is_graylanes_own(self) -> bool:
        """Whether graylane chose each field of the resource: no policy of a service is passed through to it.

        What a valid spec has is checked, so that Istio refuses none of these: lint need not judge them. Weights of an
        entry are multiplied and may become too large for Istio's type, so that an entry's are not graylane's own.
        """
        match self.table:
            case RouteTable(routes=routes):
                return self.entry is None and not any(route.fields for route in routes)
            case SubsetTable(policy=policy):
                return not policy
        return False

    def locate(self, path: Sequence[str | int]) -> Location:
        return self.group.locate(self.field(path))

    def field(self, path: Sequence[str | int]) -> FieldPath:
        """The field of the spec that a field of the resource was made from."""
        match self.table, tuple(path):
            case RouteTable() as table, ("spec", "http", int(number), *rest):
                return self._route_field(table.routes[number], tuple(rest))
            case SubsetTable() as table, ("spec", "subsets", int(number), *rest):
                return self._subset_field(table.subsets[number], rest)
            case (RouteTable() | SubsetTable(), ("spec", "hosts" | "host", *_)) if self.entry is None:
                return (*SERVICES, self.service, "host")
            case SubsetTable(), ("spec", "trafficPolicy", *rest):
                return (*SERVICES, self.service, "trafficPolicy", *rest)
            case RouteTable() | OwnGateway(), here if self.entry is not None:
                return self._entry_field(self.entry, here)
        if isinstance(self.table, Roster):
            return ("spec", "consumers")
        return (*SERVICES, self.service) if self.service else ("spec",)

    def _subset_field(self, subset: Subset, rest: Sequence[str | int]) -> FieldPath:
        at = (*SERVICES, self.service)
        return at if subset.failover else (*at, "versions", subset.version, *rest)

    def _entry_field(self, entry: int, path: FieldPath) -> FieldPath:
        at = (*ENTRIES, entry)
        match path[1:]:
            case ("hosts", int(number)) | ("servers", int(), "hosts", int(number)):
                own = isinstance(self.table, RouteTable) and self.table.name != self.group.model.entries[entry].resource
                made = own or number >= len(self.group.model.entries[entry].hosts)  # the lanes' stand behind them
                return (*at, "laneHosts" if made else "hosts")
            case ("hosts", *_) | ("servers", int(), "hosts", *_):
                return (*at, "hosts")
            case ("gateways", *_):
                return (*at, "gateway", "use")
            case ("selector", *rest):
                return (*at, "gateway", "selector", *rest)
            case ("servers", *_):
                return (*at, "gateway")
        return at

    def _route_field(self, route: Route, rest: FieldPath) -> FieldPath:
        origin = _origin(route)
        if rest[:1] == ("mirrors",) and self.group.spec.spec.services[origin.service].mirror:
            return (*SERVICES, origin.service, "mirror")
        if rest and rest[0] in _POLICY and route.id.kind is not RouteKind.LINK:
            return (*SERVICES, origin.service, "policy", *rest)
        if "destination" in rest:
            return (*SERVICES, origin.service, "host" if rest[-1] == "host" else "port")
        return origin.field

    def route(self, number: int) -> Route:
        """One route of a VirtualService."""
        return self._routes[number]

    def last_of_path(self, number: int) -> int:
        """At an entry, the last HTTP route for the same path."""
        return self._last_of_paths[_origin(self.route(number)).path_route]

    def alike(self, number: int) -> list[int]:
        """At an entry, which has each of its lanes and admits for every path: the routes with this one's id."""
        return self._by_id[self.route(number).id]

    @cached_property
    def _last_of_paths(self) -> dict[int | None, int]:
        return {_origin(route).path_route: number for number, route in enumerate(self._routes)}

    @cached_property
    def _by_id(self) -> dict[RouteId, list[int]]:
        found: dict[RouteId, list[int]] = {}
        for number, route in enumerate(self._routes):
            found.setdefault(route.id, []).append(number)
        return found

    @property
    def _routes(self) -> tuple[Route, ...]:
        assert isinstance(self.table, RouteTable)  # only a VirtualService has routes
        return self.table.routes


def _origin(route: Route) -> Origin:
    assert route.origin is not None  # compiled routes have one
    return route.origin


def rendered(group: Group) -> Iterator[tuple[Manifest, Rendered]]:
    """All resources of a group, each with where it comes from."""
    sources = [*_sources(group)]
    found = [*lowered(group.model, (one.table for one in sources), owner(group.model, experimental=True))]
    for source, (_, manifests) in zip(sources, found, strict=True):
        yield from ((manifest, source) for manifest in manifests)


def _tables(service: Service) -> Iterator[Table]:
    yield from service.subset_tables
    yield from service.mesh_tables
    if service.outside:
        yield from service.outside.hosts
        yield from service.outside.egress


def _sources(group: Group) -> Iterator[Rendered]:
    for service in group.model.services:
        yield from (Rendered(group, one, service.name) for one in _tables(service))
        yield from (Rendered(group, one) for one in service.autoscalers)
    for index, entry in enumerate(group.model.entries):
        if entry.own:
            yield Rendered(group, entry.own, entry=index)
        yield from (Rendered(group, one, entry=index) for one in entry.route_tables)
    if group.model.roster:
        yield Rendered(group, group.model.roster)
