"""Reads the parts of istiod's `/debug/config_dump` of one proxy that can show a change.

Each route and cluster that istiod makes names the resource that it was made from, in `metadata.filterMetadata.istio`.
Source: istio/istio `pilot/pkg/xds/debug.go` (ConfigDump), `pilot/pkg/util/protoconv`; Istio 1.20 to 1.31.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Page = Any  # JSON
Json = Mapping[str, Any]

_KEBAB = re.compile(r"(?<=[a-z])(?=[A-Z])")  # Istio writes DestinationRule as destination-rule


def resource_path(kind: str, namespace: str, name: str) -> str:
    """How a dump refers to a resource, without the API's group and version: `namespaces/NAMESPACE/KIND/NAME`."""
    return f"namespaces/{namespace}/{_KEBAB.sub('-', kind).lower()}/{name}"


@dataclass(frozen=True, slots=True)
class Made:
    """The routes and clusters of a proxy that istiod made from one resource.

    Parameters:
        routes: for each virtual host, its routes in order.
        clusters: the clusters that have the settings of this DestinationRule.
    """

    routes: list[list[Json]] = field(default_factory=list)
    clusters: list[Json] = field(default_factory=list)


def made_from(dump: Page) -> dict[str, Made]:
    """For each resource, what istiod made from it for a proxy; the keys are as `resource_path` returns them."""
    found: dict[str, Made] = defaultdict(Made)
    for host in _virtual_hosts(dump):
        here: dict[str, list[Json]] = defaultdict(list)
        for route in host.get("routes") or ():
            if path := _made_from(route):
                here[path].append(route)
        for path, routes in here.items():
            found[path].routes.append(routes)
    for cluster in clusters(dump):
        if path := _made_from(cluster):
            found[path].clusters.append(cluster)
    return dict(found)


def clusters(dump: Page) -> Iterator[Json]:
    """The clusters of a proxy."""
    for one in _parts(dump, "dynamicActiveClusters"):
        yield one.get("cluster") or {}


def endpoints(dump: Page) -> dict[str, frozenset[str]]:
    """For each cluster, the addresses of its endpoints, healthy or not; empty for a dump without endpoints."""
    found: dict[str, frozenset[str]] = {}
    for one in _parts(dump, "dynamicEndpointConfigs"):
        config = one.get("endpointConfig") or {}
        groups = config.get("endpoints") or ()
        found[config.get("clusterName", "")] = frozenset(
            _address(endpoint) for group in groups for endpoint in group.get("lbEndpoints") or ()
        )
    return found


def _address(endpoint: Json) -> str:
    socket = ((endpoint.get("endpoint") or {}).get("address") or {}).get("socketAddress") or {}
    return str(socket.get("address", ""))


def _virtual_hosts(dump: Page) -> Iterator[Json]:
    for config in _parts(dump, "dynamicRouteConfigs"):
        yield from (config.get("routeConfig") or {}).get("virtualHosts") or ()


def _parts(dump: Page, name: str) -> Iterator[Json]:
    for page in dump.get("configs") or () if isinstance(dump, Mapping) else ():
        yield from page.get(name) or ()


def _made_from(one: Json) -> str:
    filters = (one.get("metadata") or {}).get("filterMetadata") or {}
    path = (filters.get("istio") or {}).get("config")
    return "/".join(path.split("/")[-4:]) if isinstance(path, str) else ""


def weighted_clusters(route: Json) -> Sequence[Json]:
    """The clusters that a route leads to, each as `{name, weight, …}`; a single cluster has no weight."""
    action = route.get("route") or {}
    if "cluster" in action:
        return [{"name": action["cluster"]}]
    return list((action.get("weightedClusters") or {}).get("clusters") or ())
