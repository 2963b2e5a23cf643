"""Pods as Istio sees them: which get requests, which labels Istio adds, which namespaces inject sidecars.

Source: Kubernetes, "Pod Lifecycle" and EndpointSlice; Istio, "Installing the Sidecar" and "Locality Load Balancing".
"""

from collections.abc import Mapping
from typing import Any

# Istio adds these to a Pod's labels by where it runs; no template has them.
ADDED_LABELS = ("topology.kubernetes.io/", "topology.istio.io/", "kubernetes.io/hostname")

# Labels of a namespace that say who injects the sidecars of its Pods.
INJECTION, REVISION, AMBIENT = "istio-injection", "istio.io/rev", "istio.io/dataplane-mode"


def is_ready(pod: Mapping[str, Any]) -> bool:
    """True for a Pod that gets requests: it is Ready, and nobody is deleting it.

    Parameters:
        pod: the manifest, with its status.
    """
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not is_leaving(pod)


def is_leaving(pod: Mapping[str, Any]) -> bool:
    """True for a Pod that is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_serving(endpoint: Mapping[str, Any]) -> bool:
    """True for an endpoint of an EndpointSlice that gets requests. Without a `ready` condition it counts as ready.

    Source: Kubernetes, discovery.k8s.io/v1 EndpointConditions.
    """
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and not conditions.get("terminating")
