"""Pods as Istio sees them: which take requests, which labels they get beside their own, which get a sidecar.

Source: Kubernetes, "Pod Lifecycle" and EndpointSlice; Istio, "Installing the Sidecar" and "Locality Load Balancing".
"""

from collections.abc import Mapping
from typing import Any

# Istio adds these to a Pod's labels by where it runs; no template has them.
ADDED_LABELS = ("topology.kubernetes.io/", "topology.istio.io/", "kubernetes.io/hostname")

# Labels of a namespace that say who injects the sidecars of its Pods.
INJECTION, REVISION, AMBIENT = "istio-injection", "istio.io/rev", "istio.io/dataplane-mode"


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Does a Pod get requests: is it Ready, and not being deleted?

    Parameters:
        pod: the manifest, with its status.
    """
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not is_leaving(pod)


def is_leaving(pod: Mapping[str, Any]) -> bool:
    """Is the Pod being deleted?"""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_serving(endpoint: Mapping[str, Any]) -> bool:
    """Does an endpoint of an EndpointSlice get requests? One that says nothing of being ready counts as ready.

    Source: Kubernetes, discovery.k8s.io/v1 EndpointConditions.
    """
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and not conditions.get("terminating")
