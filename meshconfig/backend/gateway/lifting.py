"""The tables of live resources of the Gateway API: what `lower` made of route tables, read as tables again.

A table whose routes stay as they are lowers to the resources that it was lifted from, byte for byte.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.backend.gateway import grants, read_rule, services
from meshconfig.backend.gateway.absence import with_absence
from meshconfig.backend.gateway.gateway import REDIRECTS
from meshconfig.backend.gateway.http_route import PLACE
from meshconfig.backend.gateway.names import API, ISTIO, version_service
from meshconfig.backend.gateway.ranks import GRPC_ROUTE, ranks
from meshconfig.backend.gateway.unrepeated import in_order
from meshconfig.backend.istio import destination_rule
from meshconfig.backend.manifest import SERVICE, VERSION, Manifest
from meshconfig.istio.gateways import MESH
from meshconfig.istio.hosts import EVERY_HOST, ServiceName
from meshconfig.istio.labels import REFUSES
from meshconfig.model import Name, OpaqueResource, RouteTable, RoutingState, SubsetTable
from meshconfig.model.routes import NO_FIELDS

ROUTES = ("HTTPRoute", GRPC_ROUTE)
_PART = re.compile(r"(.+)\.([2-9]|[1-9][0-9]+)")
_READ = frozenset({"parentRefs", "hostnames", "rules"})

Resource = Mapping[str, Any]


def lift(manifests: Iterable[Resource], tag: str) -> RoutingState:
    """The tables of one group's resources.

    Parameters:
        manifests: the resources, without the fields that the API server adds.
        tag: the name of the tag's header.
    """
    by_kind: dict[str, dict[Name, Manifest]] = defaultdict(dict)
    for one in manifests:
        kind = one["kind"]
        ours = kind != "Gateway" or str(one.get("apiVersion", "")).startswith(API)
        by_kind[kind if ours else f"{kind}.{ISTIO}"][_name(one)] = dict(one)
    outside = {name: OpaqueResource("ServiceEntry", name, one) for name, one in by_kind.pop("ServiceEntry", {}).items()}
    versions, services = _versions(by_kind.pop("Service", {}))
    subsets = _subset_tables(versions, by_kind.pop("DestinationRule", {}))
    for name in [name for name, one in services.items() if REFUSES in (one["metadata"].get("annotations") or {})]:
        subsets[name] = _without_pods(name, services.pop(name))
    named = {name: (host, version) for name, (host, version, _) in versions.items()}
    leaves = {name: grants.lift(name, one, named) for name, one in by_kind.get(grants.KIND, {}).items()}
    reader = _Reader(tag, outside, named)
    mesh, entries = reader.tables(by_kind)
    hosts = {host for one in outside.values() for host in (one.manifest.get("spec") or {}).get("hosts") or ()}
    egress = {name: one for name, one in entries.items() if hosts and hosts >= {*one.hosts}}
    autoscalers, rosters = by_kind.pop("HorizontalPodAutoscaler", {}), by_kind.pop("ConfigMap", {})
    others = {**by_kind, "Service": services}
    return RoutingState(
        mesh=mesh,
        entries={name: one for name, one in entries.items() if name not in egress},
        subsets=subsets,
        gateways={
            Name(name.namespace, f"{kind}/{name.name}"): OpaqueResource(one["kind"], name, one)
            for kind, resources in others.items()
            for name, one in resources.items()
            if kind != grants.KIND or leaves[name] is None
        },
        autoscalers={name: OpaqueResource("HorizontalPodAutoscaler", name, one) for name, one in autoscalers.items()},
        rosters={name: OpaqueResource("ConfigMap", name, one) for name, one in rosters.items()},
        outside=outside,
        egress=egress,
        grants={name: one for name, one in leaves.items() if one},
    )


def _name(one: Resource) -> Name:
    return Name(one["metadata"]["namespace"], one["metadata"]["name"])


def _versions(
    services: Mapping[Name, Manifest],
) -> tuple[dict[Name, tuple[str, str, Manifest]], dict[Name, Manifest]]:
    """The Services of versions, each with the host of its service and the version's name, and all other Services."""
    found: dict[Name, tuple[str, str, Manifest]] = {}
    others: dict[Name, Manifest] = {}
    for name, one in services.items():
        labels = one["metadata"].get("labels") or {}
        service, version = labels.get(SERVICE), labels.get(VERSION)
        host = ServiceName(service, name.namespace).host if service else ""
        if version and host and version_service(host, version) == name:
            found[name] = host, version, one
        else:
            others[name] = one
    return found, others


def _without_pods(name: Name, service: Manifest) -> SubsetTable:
    """A Service without Pods, which answers 503: as what a route leads to, it comes before routes and goes after."""
    return SubsetTable(name, "", (services.lifted(name.name, service, None),), lifted={"refuses": True})


def _subset_tables(
    versions: Mapping[Name, tuple[str, str, Manifest]], rules: dict[Name, Manifest]
) -> dict[Name, SubsetTable]:
    """The Services of each service's versions as one table; a DestinationRule of any other host is one by itself."""
    found: dict[Name, SubsetTable] = {}
    for name, (host, version, one) in versions.items():
        place = Name(name.namespace, (one["metadata"].get("labels") or {})[SERVICE])
        subset = services.lifted(version, one, rules.pop(name, None))
        table = found.setdefault(place, SubsetTable(place, host, (), lifted=NO_FIELDS))
        found[place] = replace(table, subsets=(*table.subsets, subset))
    return {**found, **{name: destination_rule.lift(one) for name, one in rules.items()}}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the HTTPRoutes and GRPCRoutes of a group."""

    tag: str
    outside: Mapping[Name, OpaqueResource]
    versions: read_rule.Versions

    def tables(self, by_kind: dict[str, dict[Name, Manifest]]) -> tuple[dict[Name, RouteTable], dict[Name, RouteTable]]:
        """The tables between services and those at gateways. Routes with other parents than a table has stay."""
        parts: dict[Name, list[tuple[int, Manifest]]] = defaultdict(list)
        for kind in ROUTES:
            for name, one in [*by_kind.get(kind, {}).items()]:
                base, number = part_of(name)
                if self._is_readable(one):
                    parts[base].append((number, one))
                    del by_kind[kind][name]
        mesh: dict[Name, RouteTable] = {}
        entries: dict[Name, RouteTable] = {}
        for base, numbered in parts.items():
            table = self._table(base, [one for _, one in sorted(numbered, key=lambda pair: pair[0])])
            (mesh if MESH in table.gateways else entries)[base] = table
        return mesh, entries

    def _is_readable(self, one: Manifest) -> bool:
        parents = (one.get("spec") or {}).get("parentRefs") or ()
        return len(parents) == 1 and not one["metadata"]["name"].endswith(REDIRECTS)

    def _table(self, name: Name, parts: Sequence[Manifest]) -> RouteTable:
        kind, spec = parts[0]["kind"], parts[0]["spec"]
        grpc = kind == GRPC_ROUTE
        parent = spec["parentRefs"][0]
        rules = [(rule, one["kind"]) for one in parts for rule in one["spec"].get("rules") or ()]
        read = [
            read_rule.route(rule, grpc=of == GRPC_ROUTE, table=name, tag=self.tag, versions=self.versions)
            for rule, of in rules
        ]
        routes = tuple(with_absence(in_order(read, [ranks(rule, of) for rule, of in rules]), self.tag))
        hosts, gateway = self._hosts(parent, spec, name)
        further = {field: value for field, value in spec.items() if field not in _READ}
        place = dict(zip(PLACE, (parent, kind), strict=True))
        return RouteTable(
            name=name,
            hosts=hosts,
            gateways=(gateway,),
            routes=routes,
            lifted={"routes": routes, "resources": tuple(parts), "spec": {**further, **place}},
            port=parent.get("port"),
            listener=parent.get("sectionName") or "",
            protocol="grpc" if grpc else "http",
        )

    def _hosts(self, parent: Resource, spec: Resource, table: Name) -> tuple[tuple[str, ...], str]:
        """The hosts of routes, and `mesh` or the Gateway that they are attached to."""
        namespace = parent.get("namespace") or table.namespace
        if parent.get("kind", "Gateway") == "Gateway":
            return tuple(spec.get("hostnames") or (EVERY_HOST,)), f"{namespace}/{parent['name']}"
        if parent.get("kind") == "ServiceEntry":
            entry = self.outside.get(Name(namespace, parent["name"]))
            hosts = ((entry.manifest.get("spec") or {}).get("hosts") or ()) if entry else ()
            return tuple(hosts) or (parent["name"],), MESH
        return (ServiceName(parent["name"], namespace).host,), MESH


def part_of(name: Name) -> tuple[Name, int]:
    """The table that an HTTPRoute is a part of, and its number, from 1."""
    found = _PART.fullmatch(name.name)
    return (Name(name.namespace, found[1]), int(found[2])) if found else (name, 1)
