"""Services and DestinationRules to Envoy's clusters. Source: Istio, pilot, cluster_builder.go.

Of a traffic policy, only fields that affect which process answers are translated; others are noted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.istio import Subset
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.istio.destination_rules import Selected
from meshconfig.istio.policies import agreeing, effective, failover_in_force
from meshconfig.local.config import Endpoint, Json, Noted
from meshconfig.local.outside import resolved
from meshconfig.local.values import duration, typed

_UNLIMITED = 2**32 - 1
_LB = {
    "ROUND_ROBIN": "ROUND_ROBIN",
    "RANDOM": "RANDOM",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "LEAST_CONN": "LEAST_REQUEST",
}
# Shorter than the keep-alive of common servers (uvicorn: 5 s), or a request could meet a connection that just closes.
_IDLE = "1s"
_LIMITS = {
    ("tcp", "maxConnections"): "max_connections",
    ("http", "http1MaxPendingRequests"): "max_pending_requests",
    ("http", "http2MaxRequests"): "max_requests",
    ("http", "maxRetries"): "max_retries",
}
_OUTLIER_COUNTS = {
    "consecutive5xxErrors": ("consecutive_5xx", "enforcing_consecutive_5xx"),
    "consecutiveGatewayErrors": ("consecutive_gateway_failure", "enforcing_consecutive_gateway_failure"),
}
_UNDERSTOOD = {"failoverPriority", "enabled"}
_OUTLIER_PLAIN = {"maxEjectionPercent": "max_ejection_percent"}
_OUTLIER_TIMES = {"interval": "interval", "baseEjectionTime": "base_ejection_time"}


def clusters(
    host: str,
    port: int,
    rule: Selected,
    endpoints: Sequence[Endpoint],
    noted: Noted,
    outside: list[tuple[str, int]] | None = None,
) -> Iterator[Json]:
    """The clusters of a service's port: one for all its endpoints, one for each subset of its DestinationRule.

    Parameters:
        endpoints: those of this service and port.
        noted: called with the path of each field in the DestinationRule that has no effect here, and the reason.
        outside: the names and ports that a host outside the mesh stands for, where no process does.
    """
    name = ClusterName(host, port)
    yield _cluster(name, endpoints, _at_port(rule.traffic_policy, port), noted, "spec.trafficPolicy", outside)
    for subset in rule.subsets.values():
        merged = _at_port(effective(rule.traffic_policy, subset), port)
        path = f"spec.subsets[{subset.name}].trafficPolicy"
        says = noted if subset.traffic_policy else _quiet
        chosen = list(_selected(subset, endpoints))
        yield _cluster(name._replace(subset=subset.name), chosen, merged, says, path, outside)


def _selected(subset: Subset, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    wanted = subset.labels.items()
    return (endpoint for endpoint in endpoints if wanted <= endpoint.labels.items())


def _quiet(path: str, message: str) -> None:
    """Suppress notes: a subset without a policy repeats its rule's policy, which is noted already."""


def _at_port(policy: Mapping[str, Any], port: int) -> Mapping[str, Any]:
    """The policy of one port. Port-level settings replace the general ones as a whole, as in Istio."""
    for one in policy.get("portLevelSettings", ()):
        if one.get("port", {}).get("number") == port:
            return {name: value for name, value in one.items() if name != "port"}
    return {name: value for name, value in policy.items() if name != "portLevelSettings"}


def _cluster(
    name: ClusterName,
    endpoints: Sequence[Endpoint],
    policy: Mapping[str, Any],
    noted: Noted,
    path: str,
    outside: list[tuple[str, int]] | None = None,
) -> Json:
    read = {"loadBalancer", "connectionPool", "outlierDetection", *(("tls",) if outside else ())}
    for field in policy.keys() - read:
        noted(f"{path}.{field}", "has no effect on processes of this machine, which answer plain HTTP")
    pool, outlier = policy.get("connectionPool") or {}, policy.get("outlierDetection")
    balancer = policy.get("loadBalancer") or {}
    panic = (outlier or {}).get("minHealthPercent", 0)
    found = resolved(outside, policy) if outside else {"type": "STATIC"}
    localities = [{"lb_endpoints": found.pop("endpoints")}] if outside else _localities(endpoints, policy, noted, path)
    return {
        "name": str(name),
        **found,
        **_balancing(balancer, noted, f"{path}.loadBalancer"),
        **_pool(pool, noted, f"{path}.connectionPool"),
        **({"outlier_detection": _outlier(outlier)} if outlier is not None else {}),
        "common_lb_config": {"healthy_panic_threshold": {"value": panic}},
        "load_assignment": {
            "cluster_name": str(name),
            "endpoints": list(localities),
        },
    }


def _balancing(balancer: Mapping[str, Any], noted: Noted, path: str) -> Json:
    simple = balancer.get("simple", "UNSPECIFIED")
    for field in balancer.keys() - {"simple", "localityLbSetting"}:
        noted(f"{path}.{field}", "one process a version: there is nothing to choose from")
    if simple not in _LB and simple != "UNSPECIFIED":
        noted(f"{path}.simple", f"{simple} needs the address that was asked for: least requests instead")
    return {"lb_policy": _LB.get(simple, "LEAST_REQUEST")}


def _pool(pool: Mapping[str, Any], noted: Noted, path: str) -> Json:
    tcp, http = pool.get("tcp") or {}, pool.get("http") or {}
    limits = dict.fromkeys(_LIMITS.values(), _UNLIMITED)
    limits |= {ours: pool[part][theirs] for (part, theirs), ours in _LIMITS.items() if theirs in (pool.get(part) or {})}
    handled = {theirs for _, theirs in _LIMITS} | {"connectTimeout", "idleTimeout", "maxRequestsPerConnection"}
    for part, settings in (("tcp", tcp), ("http", http)):
        for field in settings.keys() - handled:
            noted(f"{path}.{part}.{field}", "has no effect on the short connections of this machine")
    common: Json = {"idle_timeout": duration(http.get("idleTimeout", _IDLE))}
    if http.get("maxRequestsPerConnection"):
        common["max_requests_per_connection"] = http["maxRequestsPerConnection"]
    return {
        "connect_timeout": duration(tcp.get("connectTimeout", "10s")),
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": _protocols(common),
    }


def _protocols(common: Json) -> Json:
    """Keep the protocol of the request, HTTP/1.1 or h2c, so that gRPC works without configuration."""
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options=common,
        use_downstream_protocol_config={"http_protocol_options": {}, "http2_protocol_options": {}},
    )
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


def _outlier(outlier: Mapping[str, Any]) -> Json:
    found: Json = {"enforcing_success_rate": 0}
    for theirs, (count, enforcing) in _OUTLIER_COUNTS.items():
        if theirs in outlier:
            found |= {count: outlier[theirs], enforcing: 100 if outlier[theirs] else 0}
    found |= {ours: outlier[theirs] for theirs, ours in _OUTLIER_PLAIN.items() if theirs in outlier}
    found |= {ours: duration(outlier[theirs]) for theirs, ours in _OUTLIER_TIMES.items() if theirs in outlier}
    return found


def _localities(endpoints: Sequence[Endpoint], policy: Mapping[str, Any], noted: Noted, path: str) -> Iterator[Json]:
    """The endpoints by priority: those that match more labels of `failoverPriority`, in order, come first."""
    path = f"{path}.loadBalancer.localityLbSetting"
    for field in ((policy.get("loadBalancer") or {}).get("localityLbSetting") or {}).keys() - _UNDERSTOOD:
        noted(f"{path}.{field}", "one machine is one locality")
    wanted = [one.partition("=") for one in failover_in_force(policy)]
    for name in (name for name, given, _ in wanted if not given):
        noted(f"{path}.failoverPriority", f"{name}: the caller's own labels are not known")
    labels = [(name, value) for name, _, value in wanted]
    ranks = [agreeing(one.labels, labels) for one in endpoints]
    for priority, rank in enumerate(sorted(set(ranks), reverse=True)):
        found = [_lb_endpoint(one) for one, its in zip(endpoints, ranks, strict=True) if its == rank]
        yield {"priority": priority, "lb_endpoints": found}


def _lb_endpoint(endpoint: Endpoint) -> Json:
    address = {"address": endpoint.address, "port_value": endpoint.port}
    return {"endpoint": {"address": {"socket_address": address}}}
