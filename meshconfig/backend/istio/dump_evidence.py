"""Whether a proxy's configuration shows a change: compares istiod's dump of it with the tables that were written.

Acknowledgements alone do not show that. While istiod debounces a change, all proxies have acknowledged the push before.
Parts that cannot be compared, such as a CORS policy, are ignored; the barrier then relies on acknowledgements and a
quiet time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from meshconfig.backend.evidence import NO_PODS, Evidence, Place, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.istio import destination_rule, envoy_dump, envoy_routes, virtual_service
from meshconfig.backend.istio.envoy_dump import Json, Made, Page, resource_path
from meshconfig.duration import go_seconds
from meshconfig.istio import cluster_names, fqdn
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.model import SubsetTable

# The fields of Istio's TrafficPolicy that are compared, each with the field of Envoy's cluster that it becomes.
_OUTLIER = {
    "consecutive5xxErrors": "consecutive5xx",
    "consecutiveGatewayErrors": "consecutiveGatewayFailure",
    "maxEjectionPercent": "maxEjectionPercent",
    "interval": "interval",
    "baseEjectionTime": "baseEjectionTime",
}
_LIMITS = {
    ("tcp", "maxConnections"): "maxConnections",
    ("http", "http1MaxPendingRequests"): "maxPendingRequests",
    ("http", "http2MaxRequests"): "maxRequests",
    ("http", "maxRetries"): "maxRetries",
}
_BALANCERS = {"ROUND_ROBIN": "ROUND_ROBIN", "RANDOM": "RANDOM", "LEAST_REQUEST": "LEAST_REQUEST"}
# What istiod writes where a policy sets nothing. Source: pilot cluster_builder.go, cluster_traffic_policy.go.
_DEFAULTS = {"lbPolicy": "LEAST_REQUEST", "connectTimeout": 10.0, **dict.fromkeys(_LIMITS.values(), 2**32 - 1)}


def evidence(dump: Page, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
    """Whether a proxy's dump shows a change already.

    Parameters:
        dump: istiod's `/debug/config_dump` of the proxy, with endpoints if `pods` are given.
        change: what a step wrote and deleted.
        pods: for subsets whose labels changed, the Pods that have the new labels.
    """
    made = envoy_dump.made_from(dump)
    if any(resource_path(*place) in made for place in change.deleted):
        return Evidence.DIFFERS
    addresses = envoy_dump.endpoints(dump) if pods else {}
    shown = [
        not _differs(one, made[path], change, addresses, pods)
        for one in change.written
        if (path := resource_path(*_place(one))) in made
    ]
    outside = [one for one in change.written if one["kind"] == "ServiceEntry" and adds_clusters(one, change.before)]
    clusters = {str(one.get("name", "")) for one in envoy_dump.clusters(dump)} if outside else set()
    shown += [True for one in outside if _names(one) <= clusters]
    if not shown:
        return Evidence.ABSENT
    return Evidence.SHOWS if all(shown) else Evidence.DIFFERS


def adds_clusters(entry: Resource, before: Mapping[Any, Resource]) -> bool:
    """Whether a ServiceEntry has clusters that it did not have before, by which alone a proxy shows it."""
    old = before.get(_place(entry))
    return old is None or not _names(entry) <= _names(old)


def _names(entry: Resource) -> set[str]:
    """The names of the clusters that istiod makes of a ServiceEntry; no cluster says of which it was made."""
    spec = entry["spec"]
    ports = [port["number"] for port in spec.get("ports") or ()]
    return {str(ClusterName(host, port, "")) for host in spec.get("hosts") or () for port in ports}


def _place(manifest: Resource) -> Place:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["namespace"], metadata["name"]


def _differs(
    one: Resource, made: Made, change: Written, addresses: Mapping[str, frozenset[str]], pods: SubsetPods
) -> bool:
    before = change.before.get(_place(one))
    if one["kind"] == "VirtualService":
        wanted, old = (
            envoy_routes.expected(virtual_service.lift(each, change.tag), change.tag) if each else []
            for each in (one, before)
        )
        return any(envoy_routes.differs(wanted, routes, old) for routes in made.routes)
    if one["kind"] == "DestinationRule":
        table, was = destination_rule.lift(one), destination_rule.lift(before) if before else None
        return (
            {name for cluster in made.clusters if (name := _subset(cluster))} != set(table.by_name)
            or any(_policy_differs(table, was, cluster) for cluster in made.clusters)
            or any(_other_pods(addresses, cluster, pods.get(_name(table, cluster))) for cluster in made.clusters)
        )
    return False


def _name(table: SubsetTable, cluster: Json) -> tuple[str, str]:
    return fqdn(table.host, table.name.namespace), _subset(cluster)


def _subset(cluster: Json) -> str:
    parsed = cluster_names.parse(str(cluster.get("name", "")))
    return parsed.subset if parsed else ""


def _other_pods(addresses: Mapping[str, frozenset[str]], cluster: Json, pods: Collection[str] | None) -> bool:
    """Whether a cluster has endpoints that are not among the subset's Pods."""
    found = addresses.get(str(cluster.get("name", "")))
    if pods is None or found is None:
        return False
    return not found <= set(pods)


def _policy_differs(table: SubsetTable, before: SubsetTable | None, cluster: Json) -> bool:
    """Whether a cluster has other values of the traffic policy than the table."""
    subset = _subset(cluster)
    asked, shown = dict(_values(_effective(table, subset))), dict(_shown(cluster))
    was = dict(_values(_effective(before, subset))) if before else {}
    if any(shown.get(name) != value for name, value in asked.items()):
        return True
    return any(name not in asked and shown.get(name) == value != _DEFAULTS.get(name) for name, value in was.items())


def _effective(table: SubsetTable | None, subset: str) -> Json:
    """The policy of a subset; its fields replace those of the rule, one by one. Source: Istio, Subset.trafficPolicy."""
    if table is None:
        return {}
    own = (table.by_name[subset].fields or {}).get("trafficPolicy") if subset in table.by_name else None
    merged = {**table.policy, **(own or {})}
    return {} if merged.get("portLevelSettings") else merged  # these hold for some ports only


def _values(policy: Json) -> Iterator[tuple[str, Any]]:
    """The settings of a policy that an Envoy cluster has as plain values, under Envoy's names."""
    pool = policy.get("connectionPool") or {}
    if timeout := (pool.get("tcp") or {}).get("connectTimeout"):
        yield "connectTimeout", _plain(timeout)
    for (part, theirs), ours in _LIMITS.items():
        if (value := (pool.get(part) or {}).get(theirs)) is not None:
            yield ours, value
    for theirs, ours in _OUTLIER.items():
        if (value := (policy.get("outlierDetection") or {}).get(theirs)) is not None:
            yield f"outlier {ours}", _plain(value)
    if (simple := (policy.get("loadBalancer") or {}).get("simple")) in _BALANCERS:
        yield "lbPolicy", _BALANCERS[simple]


def _shown(cluster: Json) -> Iterator[tuple[str, Any]]:
    # Protobuf's JSON leaves default values out, and ROUND_ROBIN is the default of Envoy's field.
    yield "lbPolicy", cluster.get("lbPolicy", "ROUND_ROBIN")
    yield "connectTimeout", _plain(cluster.get("connectTimeout"))
    for limits in ((cluster.get("circuitBreakers") or {}).get("thresholds") or ())[:1]:
        yield from limits.items()
    for name, value in (cluster.get("outlierDetection") or {}).items():
        yield f"outlier {name}", _plain(value)


def _plain(value: Any) -> Any:
    try:
        return round(float(go_seconds(value)), 3) if isinstance(value, str) else value
    except ValueError:
        return value


def relabelled(written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
    """The subsets of written DestinationRules that keep their name and get other labels.

    Parameters:
        before: the same resources as they were, by kind, namespace and name; a new one is not among them.
    """
    for one in written:
        old = before.get(_place(one))
        if one["kind"] == "DestinationRule" and old:
            table, was = destination_rule.lift(one), destination_rule.lift(old).by_name
            for name, subset in table.by_name.items():
                if name in was and was[name].labels != subset.labels:
                    yield RelabelledSubset(fqdn(table.host, table.name.namespace), name, subset.labels)
