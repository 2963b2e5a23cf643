"""HorizontalPodAutoscalers of versions with `autoscale`. Source: Kubernetes, autoscaling/v2."""

from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.model import Autoscaler


def lower(one: Autoscaler, owner: Owner) -> Manifest:
    """A version's HorizontalPodAutoscaler, with the name of the version's Deployment."""
    target = {"type": "Utilization", "averageUtilization": one.cpu}
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": one.name.name},
        "minReplicas": one.min_replicas,
        "maxReplicas": one.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return owner.manifest("autoscaling/v2", "HorizontalPodAutoscaler", one.name, spec)
