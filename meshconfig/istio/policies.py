"""A DestinationRule's `trafficPolicy`: what holds for a subset, and which Pods a load balancer prefers.

Source: Istio, Subset.trafficPolicy and LocalityLoadBalancerSetting.failoverPriority; pilot loadbalancer.go,
applyFailoverPriorityPerLocality: the first label in which a Pod differs decides its priority.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from meshconfig.istio.types import Subset

Policy = Mapping[str, Any]


def effective(policy: Policy | None, subset: Subset | None) -> dict[str, Any]:
    """What holds for a subset, or for the whole host: the subset's own policy replaces the rule's field by field."""
    own = subset.traffic_policy if subset is not None else None
    return {**(policy or {}), **(own or {})}


def failover_priority(policy: Policy) -> tuple[str, ...]:
    """`LABEL` or `LABEL=VALUE`, the most important first, where the policy orders Pods by labels."""
    locality = _mapping(_mapping(policy, "loadBalancer"), "localityLbSetting")
    return () if locality.get("enabled") is False else tuple(locality.get("failoverPriority") or ())


def failover_in_force(policy: Policy) -> tuple[str, ...]:
    """The same, where it has an effect: without `outlierDetection` Envoy would take no Pod to be unhealthy."""
    return failover_priority(policy) if policy.get("outlierDetection") is not None else ()


def agreeing(labels: Mapping[str, str], wanted: Iterable[tuple[str, str]]) -> int:
    """How many of the wanted labels, from the first on, a Pod has: the more, the higher its priority."""
    count = 0
    for name, value in wanted:
        if labels.get(name, "") != value:
            break
        count += 1
    return count


def _mapping(policy: Policy, name: str) -> Policy:
    found = policy.get(name)
    return found if isinstance(found, Mapping) else {}
