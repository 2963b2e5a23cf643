"""DestinationRules: which Pods a version's subset selects. Source: Istio, networking/v1 DestinationRule."""

from meshconfig.model import Failover, Model, Opaque, Service, Subset
from meshconfig.render.common import IstioApi, Manifest, istio

# Failover needs outlier detection to see that a Pod is unhealthy. Istio's own defaults for the rest.
OUTLIER_DETECTION = {"consecutive5xxErrors": 5, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}


def destination_rule(service: Service, model: Model, api: IstioApi) -> Manifest:
    spec: Manifest = {"host": service.host}
    if service.traffic_policy:
        spec["trafficPolicy"] = dict(service.traffic_policy)
    spec["subsets"] = [_subset(subset, service.traffic_policy) for subset in service.subsets]
    return istio("DestinationRule", model, service.resource, service.namespace, spec, api)


def _subset(subset: Subset, policy: Opaque) -> Manifest:
    one: Manifest = {"name": subset.name}
    if subset.labels:
        one["labels"] = dict(subset.labels)
    if subset.failover:
        one["trafficPolicy"] = _prefer(subset.failover, policy)
    return one


def _prefer(failover: Failover, policy: Opaque) -> Manifest:
    """Fall over from the preferred Pods to the others: what the subset says replaces the rule's own, field by field."""
    priority = [f"{name}={value}" for name, value in failover.prefer]
    locality = {"enabled": True, "failoverPriority": priority}
    return {
        "loadBalancer": {**policy.get("loadBalancer", {}), "localityLbSetting": locality},
        "outlierDetection": {**OUTLIER_DETECTION, **policy.get("outlierDetection", {})},
    }
