"""The rules of routes that Istio merges as one VirtualService, in an order in which the first that matches decides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.backend.gateway import read_rule
from meshconfig.backend.gateway.filters import KEPT
from meshconfig.backend.gateway.lifting import part_of
from meshconfig.backend.gateway.matches import Rank, UnclearError, covers, of_condition
from meshconfig.backend.gateway.names import NO_ROUTE
from meshconfig.backend.gateway.ranks import GRPC_ROUTE
from meshconfig.backend.gateway.unrepeated import in_order
from meshconfig.backend.istio import virtual_service
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.importing.gateway_api.elements import spread
from meshconfig.importing.gateway_api.places import Place
from meshconfig.importing.gateway_api.versions import PodPorts, Version
from meshconfig.importing.merged import Merged
from meshconfig.importing.said import Unsaid
from meshconfig.istio import MESH, Service, VirtualService
from meshconfig.istio import ports as protocols
from meshconfig.istio.gateway_api import RouteResource
from meshconfig.istio.hosts import service_name
from meshconfig.istio.resources import without_nulls
from meshconfig.istio.types import Metadata, VirtualServiceSpec
from meshconfig.model import Condition, Name, Route, RouteTable

_PRIVATE = "it is in another namespace than its Service, so that it counts for callers of that namespace alone"
_HTTP_2 = ("grpc", "http2")
_TWO_KINDS = "a Service has HTTPRoutes and GRPCRoutes, and a spec has one protocol for a service"

Rule = tuple[RouteResource, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """One rule as a route, with the ranks of its matches, and where it stands."""

    route: Route
    ranks: list[Rank]
    rule: Rule


@dataclass(frozen=True, slots=True)
class Tables:
    """Makes VirtualServices of places.

    Parameters:
        versions: the Services of versions. services: those that are given.
        together: what each route must be imported or left alone with.
        tag: the name of the tag's header; empty while it is not known.
        grpc: the hosts that have GRPCRoutes between services.
        pod_ports: the ports of Pods, by the host and the port of a service.
    """

    versions: Mapping[Name, Version]
    services: Mapping[Name, Service]
    together: Mapping[str, str]
    tag: str
    grpc: frozenset[str]
    pod_ports: PodPorts

    def merged(self, place: Place) -> VirtualService:
        """The VirtualService of one place."""
        read = [one for route in place.routes for one in self._rules(route)]
        unsaid = [*self._unsaid(place, read)]
        try:
            routes = in_order([one.route for one in read], [one.ranks for one in read])
        except UnclearError as error:
            unsaid.append(self._note(place.routes[0], f"{error} is not part of a spec"))
            routes = ()
        found = [*_without_nothing(routes)]
        name = Name(place.routes[0].namespace, f"{place.gateway.replace('/', '~')}~{place.listener}~{place.hosts[0]}")
        table = RouteTable(name, tuple(place.hosts), (place.gateway,), tuple(map(_bare, found)))
        manifest = virtual_service.lower(table, Owner("", self.tag))
        first = place.routes[0]
        return Merged(
            "VirtualService",
            Metadata.model_construct(name=name.name, namespace=name.namespace),
            VirtualServiceSpec.model_validate(manifest["spec"]),
            {**manifest, "metadata": {**(first.manifest.get("metadata") or {}), "name": name.name}},
            first.source,
            parts=place.routes,
            rules=tuple(_rule_of(one, read) for one in found),
            together=self.together[str(first)],
            listener=place.listener,
            unsaid=tuple(dict.fromkeys(unsaid)),
        )

    def _rules(self, route: RouteResource) -> Iterator[_Read]:
        table, _ = part_of(Name(route.namespace, route.name))
        spec: Manifest = without_nulls(route.manifest.get("spec") or {})
        versions = {name: (one.host, one.name) for name, one in self.versions.items()}
        for number, rule in enumerate(spec.get("rules") or ([{}] if route.kind == "HTTPRoute" else [])):
            for each, ranks in spread(rule, route.kind):
                grpc = route.kind == GRPC_ROUTE
                found = read_rule.route(each, grpc=grpc, table=table, tag=self.tag, versions=versions)
                yield _Read(_named_refusal(found, table), ranks, (route, number))

    def _unsaid(self, place: Place, read: Sequence[_Read]) -> Iterator[Unsaid]:
        first = place.routes[0]
        if place.why:
            yield self._note(first, place.why)
        if place.gateway == MESH:
            yield from self._unsaid_of_mesh(place, read)
        yield from self._unsaid_of_protocols(place, read)
        yield from self._unsaid_of_pod_ports(read)
        for one in read:
            route, number = one.rule
            for what in _kept(one.route):
                where = route.locate("spec", "rules", number)
                yield Unsaid(where, f"{route} rules[{number}]", f"{what} is not part of a spec")

    def _unsaid_of_protocols(self, place: Place, read: Sequence[_Read]) -> Iterator[Unsaid]:
        """The Services that speak HTTP/2 for HTTPRoutes. Those that a spec makes do so for GRPCRoutes alone."""
        names = {(one.host, one.name): name for name, one in self.versions.items()}
        for one in read:
            for target in one.route.targets if one.rule[0].kind != GRPC_ROUTE and not one.route.refusal else ():
                if target.host in self.grpc or (own := service_name(target.host)) is None:
                    continue
                name = names.get((target.host, target.subset or ""), Name(own.namespace, own.name))
                ports = self.services[name].spec.ports if name in self.services else ()
                for spoken in (protocols.protocol(each) for each in ports if target.port in (None, each.port)):
                    if spoken in _HTTP_2:
                        where = f"{name.namespace}/{name.name}"
                        said = f"it leads to Service {where}, which speaks {spoken}: a spec has HTTP/1.1 for HTTPRoutes"
                        yield self._note(one.rule[0], said)

    def _unsaid_of_pod_ports(self, read: Sequence[_Read]) -> Iterator[Unsaid]:
        for one in read:
            for target in one.route.targets:
                ports = self.pod_ports.get((target.host, target.port or 0), set())
                if len(ports) > 1:
                    shown = " and ".join(sorted(map(str, ports)))
                    said = f"the versions of {target.host} have targetPort {shown}: a spec has one for a service"
                    yield self._note(one.rule[0], said)

    def _unsaid_of_mesh(self, place: Place, read: Sequence[_Read]) -> Iterator[Unsaid]:
        first = place.routes[0]
        if len({route.kind for route in place.routes}) > 1:
            yield self._note(first, _TWO_KINDS)
        name = service_name(place.hosts[0])
        if name is None:
            return
        if any(route.namespace != name.namespace for route in place.routes):
            yield self._note(first, _PRIVATE)
        ports = {target.port for one in read for target in one.route.targets if target.host == name.host}
        own = self.services.get(Name(name.namespace, name.name))
        called = {place.port} if place.port else {one.port for one in own.spec.ports} if own else ports
        if called and not ports <= called:
            shown = [", ".join(map(str, sorted(map(int, filter(None, one))))) for one in (ports, called)]
            yield self._note(first, f"it leads to port {shown[0]}, and callers use {shown[1]}: a spec has one port")

    def _note(self, route: RouteResource, why: str) -> Unsaid:
        return Unsaid(route.locate("spec"), str(route), why)


def _named_refusal(route: Route, table: Name) -> Route:
    """A strict lane's 503 with the text by which import knows it."""
    return replace(route, refusal=f"this lane has no version of {table.name}") if route.refusal else route


def _kept(route: Route) -> Iterator[str]:
    """What graylane does not know of a rule."""
    for fields in (route.fields, *(target.fields for target in route.targets)):
        for name, value in (fields.get(KEPT) or {}).items():
            if name == "filters":
                yield from (f"the filter {one.get('type', 'without a type')}" for one in value)
            elif name != "backendRefs" or KEPT not in route.fields:
                yield f"the field {name}"


def _bare(route: Route) -> Route:
    """A route without what graylane does not know of it, which is among the unsaid."""
    targets = tuple(replace(one, fields=_known(one.fields)) for one in route.targets)
    return replace(route, targets=targets, fields=_known(route.fields))


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != KEPT}


def _without_nothing(routes: Sequence[Route]) -> Iterator[Route]:
    """The routes without graylane's own rules for paths that no route takes, and without what those take from others.

    The spec's paths have no such routes, and rendering it writes these rules anew.
    """
    nothing: list[Condition] = []
    for route in routes:
        if route.id.key == NO_ROUTE and not route.targets:
            nothing += route.conditions
            continue
        left = tuple(
            one
            for one in route.conditions
            if not any(covers(of_condition(other), of_condition(one)) for other in nothing)
        )
        if left or not route.conditions:
            yield replace(route, conditions=left)


def _rule_of(route: Route, read: Sequence[_Read]) -> Rule:
    """The first rule that a route comes from."""
    action = replace(route, conditions=())
    for one in read:
        same = set(route.conditions) & set(one.route.conditions) if route.conditions else not one.route.conditions
        if one.route.id == route.id and (same or not route.conditions) and replace(one.route, conditions=()) == action:
            return one.rule
    return read[0].rule
