"""The backend `istio`: route tables are VirtualServices, subset tables are DestinationRules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.backend.evidence import NO_PODS, Evidence, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.istio import autoscaler, destination_rule, gateway, roster, service_entry, virtual_service
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.istio import MESH
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.model import (
    Autoscaler,
    Grant,
    Name,
    OpaqueResource,
    OutsideHost,
    OwnGateway,
    Roster,
    RouteTable,
    RoutingState,
    SubsetTable,
    Table,
)

__all__ = ["cluster", "evidence", "lift", "lower", "relabelled", "stored", "transition"]


def lower(table: Table, owner: Owner) -> list[Manifest]:
    """The resources of one table; this backend needs one for each table."""
    match table:
        case RouteTable():
            return [virtual_service.lower(table, owner)]
        case SubsetTable():
            return [destination_rule.lower(table, owner)]
        case OwnGateway():
            return [gateway.lower(table, owner)]
        case OutsideHost():
            return [service_entry.lower(table, owner)]
        case Autoscaler():
            return [autoscaler.lower(table, owner)]
        case Roster():
            return [roster.lower(table, owner)]
        case Grant():
            return []  # Istio's own routes lead to every namespace
        case OpaqueResource():
            return [dict(table.manifest)]


def transition(before: Sequence[Manifest], after: Sequence[Manifest]) -> list[list[Manifest]]:
    """All at once: a table is one resource."""
    changed = [one for one in after if one not in before]
    return [changed] if changed else []


def stored(manifest: Manifest) -> Manifest:
    """A resource as the API server stores it: Istio's kinds have no defaults."""
    return manifest


def cluster(host: str, port: int, version: str) -> ClusterName:
    """The name of Envoy's cluster of a version, which is a subset."""
    return ClusterName(host, port, version)


def evidence(dump: Any, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
    """What a proxy's configuration shows of a change: see `Backend`."""
    from meshconfig.backend.istio import dump_evidence  # only what waits for proxies reads their dumps

    return dump_evidence.evidence(dump, change, pods)


def relabelled(written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
    """The subsets of written DestinationRules that get other labels than they had."""
    from meshconfig.backend.istio import dump_evidence

    return dump_evidence.relabelled(written, before)


def lift(manifests: Iterable[Mapping[str, Any]], tag: str) -> RoutingState:
    """The tables of live resources. Resources other than VirtualServices and DestinationRules stay opaque.

    Parameters:
        manifests: the resources of one group, without the fields that the API server adds.
        tag: the name of the tag's header.
    """
    mesh: dict[Name, RouteTable] = {}
    entries: dict[Name, RouteTable] = {}
    subsets: dict[Name, SubsetTable] = {}
    gateways: dict[Name, OwnGateway | OpaqueResource] = {}
    autoscalers: dict[Name, Autoscaler | OpaqueResource] = {}
    rosters: dict[Name, Roster | OpaqueResource] = {}
    outside: dict[Name, OutsideHost | OpaqueResource] = {}
    for manifest in manifests:
        name = Name(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        kind = manifest["kind"]
        match kind:
            case "VirtualService":
                table = virtual_service.lift(manifest, tag)
                (mesh if MESH in (table.gateways or (MESH,)) else entries)[name] = table
            case "DestinationRule":
                subsets[name] = destination_rule.lift(manifest)
            case "Gateway":
                gateways[name] = OpaqueResource(kind, name, manifest)
            case "ServiceEntry":
                outside[name] = OpaqueResource(kind, name, manifest)
            case "ConfigMap":
                rosters[name] = OpaqueResource(kind, name, manifest)
            case _:
                autoscalers[name] = OpaqueResource(kind, name, manifest)
    hosts = {host for one in outside.values() if isinstance(one, OpaqueResource) for host in _hosts(one)}
    egress = {name: table for name, table in entries.items() if hosts and hosts >= {*table.hosts}}
    entries = {name: table for name, table in entries.items() if name not in egress}
    return RoutingState(mesh, entries, subsets, gateways, autoscalers, rosters, outside, egress)


def _hosts(one: OpaqueResource) -> Iterable[str]:
    return (one.manifest.get("spec") or {}).get("hosts") or ()
