"""The backend `gateway`: route tables are HTTPRoutes of the Kubernetes Gateway API, each version is a Service.

    positive → precedence   the routes as rules whose order Gateway API decides: `matches` says how
    http_route              the rules as HTTPRoutes: `matching`, `filters`, `policy`, `names`
    services, gateway       the Services of versions, the Gateways of entries

What Gateway API has nothing for keeps Istio's kinds: ServiceEntries, and DestinationRules for a `trafficPolicy`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshconfig.backend.evidence import NO_PODS, Evidence, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.gateway import gateway, http_route, services
from meshconfig.backend.istio import autoscaler, roster, service_entry
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import (
    Autoscaler,
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

__all__ = ["evidence", "lift", "lower", "relabelled"]


def lower(table: Table, owner: Owner) -> list[Manifest]:
    """The resources of one table.

    Raises:
        UnsupportedError: Gateway API cannot express a part of the table.
    """
    match table:
        case RouteTable():
            return http_route.lower(table, owner)
        case SubsetTable():
            return services.lower(table, owner)
        case OwnGateway():
            return gateway.lower(table, owner)
        case OutsideHost():
            return [service_entry.lower(table, owner)]
        case Autoscaler():
            return [autoscaler.lower(table, owner)]
        case Roster():
            return [roster.lower(table, owner)]
        case OpaqueResource():
            return [dict(table.manifest)]


def lift(manifests: Iterable[Mapping[str, Any]], tag: str) -> RoutingState:
    """The resources as they are, each opaque: several of one name make one table, and none alone shows its routes.

    Parameters:
        manifests: the resources of one group, without the fields that the API server adds.
        tag: the name of the tag's header.
    """
    found: dict[Name, OwnGateway | OpaqueResource] = {}
    for manifest in manifests:
        kind, metadata = manifest["kind"], manifest["metadata"]
        name = Name(metadata["namespace"], metadata["name"])
        found[Name(name.namespace, f"{kind}/{name.name}")] = OpaqueResource(kind, name, manifest)
    return RoutingState(gateways=found)


def evidence(dump: Any, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
    """Nothing is compared: istiod merges HTTPRoutes before it names what it makes of them. Acknowledgements count."""
    return Evidence.ABSENT


def relabelled(written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
    """The Services of versions that get another selector than they had."""
    for one in written:
        metadata = one["metadata"]
        was = before.get((one["kind"], metadata["namespace"], metadata["name"]))
        selector = (one.get("spec") or {}).get("selector")
        if one["kind"] == "Service" and was and selector != (was.get("spec") or {}).get("selector"):
            host = ServiceName(metadata["name"], metadata["namespace"]).host
            yield RelabelledSubset(host, "", tuple(sorted((selector or {}).items())))
