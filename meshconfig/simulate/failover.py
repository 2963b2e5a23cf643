"""Which of a destination's workloads Envoy prefers while they are healthy.

Source: Istio, LocalityLoadBalancerSetting.failoverPriority; pilot loadbalancer.go, applyFailoverPriorityPerLocality:
the first label in which a Pod differs decides its priority. It is in force only together with outlierDetection.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meshconfig.istio import Subset, Workload
from meshconfig.simulate.strings import UnknownError

Wanted = tuple[tuple[str, str], ...]


def wanted(policy: Mapping[str, Any], subset: Subset | None, sender: Mapping[str, str] | None) -> Wanted:
    """The labels that the load balancer prefers, the most important first; none where it prefers nothing.

    Parameters:
        policy: the DestinationRule's trafficPolicy, which the subset's overrides field by field.
        sender: the labels of the Pod that sends, for priorities without a value; None when they are not known.

    Raises:
        UnknownError: they depend on labels that are not known.
    """
    merged = {**policy, **((subset.traffic_policy or {}) if subset else {})}
    locality = (merged.get("loadBalancer") or {}).get("localityLbSetting") or {}
    if not merged.get("outlierDetection") or locality.get("enabled") is False:
        return ()
    return tuple(_label(one, sender) for one in locality.get("failoverPriority") or ())


def preferred(workloads: Sequence[Workload], labels: Wanted) -> list[Workload]:
    """Those of the highest priority that any of them has."""
    ranks = [_agreeing(one.spec.template.metadata.labels, labels) for one in workloads]
    return [one for one, rank in zip(workloads, ranks, strict=True) if rank == max(ranks)]


def _label(priority: str, sender: Mapping[str, str] | None) -> tuple[str, str]:
    name, equals, value = priority.partition("=")
    if equals:
        return name, value
    if sender is None:
        raise UnknownError(f"which Pods are preferred follows the sender's label {name}, which is not known")
    return name, sender.get(name, "")


def _agreeing(own: Mapping[str, str], labels: Iterable[tuple[str, str]]) -> int:
    """How many of the labels, from the first on, a Pod has."""
    count = 0
    for name, value in labels:
        if own.get(name, "") != value:
            break
        count += 1
    return count
