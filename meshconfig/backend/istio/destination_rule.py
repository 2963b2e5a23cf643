"""DestinationRules and subset tables. Source: Istio, networking/v1 DestinationRule."""

from collections.abc import Mapping
from typing import Any

from meshconfig.backend.manifest import Manifest, Owner, rest
from meshconfig.model import Failover, IstioFields, Name, Subset, SubsetTable

# Failover needs outlier detection to notice that a Pod is unhealthy. Istio's default ejects at most 10 % of the Pods;
# 100 % lets all Pods of a version fail over. The other values are Istio's defaults but for a shorter interval.
OUTLIER_DETECTION = {"consecutive5xxErrors": 5, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}


def lower(table: SubsetTable, owner: Owner) -> Manifest:
    """The DestinationRule of a subset table."""
    spec: Manifest = {"host": table.host}
    if table.policy:
        spec["trafficPolicy"] = dict(table.policy)
    if table.subsets or table.lifted is None:
        spec["subsets"] = [_subset(subset, table.policy) for subset in table.subsets]
    return owner.istio("DestinationRule", table.name, spec, table.lifted)


def _subset(subset: Subset, policy: IstioFields) -> Manifest:
    one: Manifest = {"name": subset.name}
    if subset.labels:
        one["labels"] = dict(subset.labels)
    if subset.fields is None:
        return {**one, "trafficPolicy": _policy(subset.failover, policy)} if subset.failover else one
    if subset.failover is None:
        return {**one, **subset.fields}
    live = subset.fields.get("trafficPolicy") or {}
    balancer = {**live.get("loadBalancer", {}), "localityLbSetting": _locality(subset.failover)}
    return {**one, **subset.fields, "trafficPolicy": {**live, "loadBalancer": balancer}}


def _policy(failover: Failover, policy: IstioFields) -> Manifest:
    """The policy of a subset that fails over from its preferred Pods to the others.

    It repeats the rule's settings, because a subset's policy replaces the rule's own, field by field.
    """
    return {
        "loadBalancer": {**policy.get("loadBalancer", {}), "localityLbSetting": _locality(failover)},
        "outlierDetection": {**OUTLIER_DETECTION, **policy.get("outlierDetection", {})},
    }


def _locality(failover: Failover) -> Manifest:
    return {"enabled": True, "failoverPriority": [f"{name}={value}" for name, value in failover.prefer]}


def lift(manifest: Mapping[str, Any]) -> SubsetTable:
    """The subset table of a live DestinationRule.

    Fields that graylane does not know stay in the table's `lifted` and in its subsets' `fields`.
    """
    spec = manifest.get("spec") or {}
    metadata = manifest["metadata"]
    subsets = spec.get("subsets") or ()
    policy = spec.get("trafficPolicy") or {}
    read = ["host", *(["subsets"] if subsets else ()), *(["trafficPolicy"] if policy else ())]
    return SubsetTable(
        name=Name(metadata["namespace"], metadata["name"]),
        host=str(spec.get("host", "")),
        subsets=tuple(map(_lifted, subsets)),
        policy=policy,
        lifted=rest(manifest, *read),
    )


def _lifted(subset: Mapping[str, Any]) -> Subset:
    fields = dict(subset)
    name, labels = fields.pop("name", ""), fields.get("labels")
    if labels:
        del fields["labels"]
    failover = _failover(fields)
    if failover:
        policy = dict(fields["trafficPolicy"])
        policy["loadBalancer"] = {
            key: value for key, value in policy["loadBalancer"].items() if key != "localityLbSetting"
        }
        fields["trafficPolicy"] = policy
    return Subset(name, tuple(sorted((labels or {}).items())), failover, fields)


def _failover(fields: Mapping[str, Any]) -> Failover | None:
    """The Pods that a subset prefers; None unless its locality setting is exactly one that `_locality` writes."""
    balancer = (fields.get("trafficPolicy") or {}).get("loadBalancer") or {}
    setting = balancer.get("localityLbSetting") or {}
    priority = setting.get("failoverPriority")
    if not (priority and setting.get("enabled") is True):
        return None
    pairs = [str(one).partition("=") for one in priority]
    found = Failover(tuple((name, value) for name, _, value in pairs))
    return found if _locality(found) == setting else None
