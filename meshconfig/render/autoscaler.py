"""HorizontalPodAutoscalers of versions that ask for one. Source: Kubernetes, autoscaling/v2."""

from meshconfig.model import Autoscaler, Model, Service
from meshconfig.render.common import Manifest, manifest


def autoscaler(one: Autoscaler, service: Service, model: Model) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": one.cpu}
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": one.workload},
        "minReplicas": one.min_replicas,
        "maxReplicas": one.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return manifest("autoscaling/v2", "HorizontalPodAutoscaler", model, one.workload, service.namespace, spec)
