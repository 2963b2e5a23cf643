"""The backend `gateway`: route tables are HTTPRoutes of the Kubernetes Gateway API, each version is a Service.

    positive → precedence   the routes as rules whose order Gateway API decides: `matches` says how
    http_route              the rules as HTTPRoutes: `matching`, `filters`, `policy`, `names`
    services, gateway       the Services of versions, the Gateways of entries
    grants                  leave for entries to lead to Services of other namespaces

What Gateway API has nothing for keeps Istio's kinds: ServiceEntries, and DestinationRules for a `trafficPolicy`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshconfig.backend.evidence import NO_PODS, Evidence, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.gateway import gateway, grants, http_route, services
from meshconfig.backend.gateway.defaults import stored
from meshconfig.backend.gateway.lifting import lift
from meshconfig.backend.gateway.names import version_service
from meshconfig.backend.gateway.transition import transition
from meshconfig.backend.istio import autoscaler, roster, service_entry
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.istio.hosts import ServiceName
from meshconfig.model import (
    Autoscaler,
    Grant,
    OpaqueResource,
    OutsideHost,
    OwnGateway,
    Roster,
    RouteTable,
    SubsetTable,
    Table,
)

__all__ = ["cluster", "evidence", "lift", "lower", "relabelled", "stored", "transition"]


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
        case Grant():
            return [grants.lower(table, owner)]
        case OpaqueResource():
            return [dict(table.manifest)]


def evidence(dump: Any, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
    """What a proxy's configuration shows of a change: see `Backend`."""
    from meshconfig.backend.gateway import dump_evidence  # only what waits for proxies reads their dumps

    return dump_evidence.evidence(dump, change, pods)


def cluster(host: str, port: int, version: str) -> ClusterName:
    """The name of Envoy's cluster of a version, which is a Service."""
    name = version_service(host, version)
    return ClusterName(ServiceName(name.name, name.namespace).host, port, "")


def relabelled(written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
    """The Services of versions that get another selector than they had."""
    for one in written:
        metadata = one["metadata"]
        was = before.get((one["kind"], metadata["namespace"], metadata["name"]))
        selector = (one.get("spec") or {}).get("selector")
        if one["kind"] == "Service" and was and selector != (was.get("spec") or {}).get("selector"):
            host = ServiceName(metadata["name"], metadata["namespace"]).host
            yield RelabelledSubset(host, "", tuple(sorted((selector or {}).items())))
