"""Argo Rollouts: a Rollout for each service, with host-level traffic splitting as its guide to Istio begins with.

https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/istio/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit_log import Event
from load_mesh import apply
from mesh_cluster import Manifest, until
from mesh_namespace import manifest, surroundings
from peer_mesh import CHAIN, PATIENCE, PAUSE, PORT, VERSIONS, WEIGHTS, gateway, host, read, workload

ROUTE = "primary"
STEPS = [step for weight in WEIGHTS for step in ({"setWeight": weight}, {"pause": {"duration": f"{PAUSE}s"}})]


class ArgoRollouts:
    name, namespace = "Argo Rollouts", "peers-argo"

    def is_caller(self, event: Event) -> bool:
        return "argo-rollouts" in event.get("userAgent", "")

    @contextmanager
    def ready(self, folder: Path) -> Iterator[None]:
        apply([*surroundings(self.namespace, CHAIN, PORT), gateway(self.namespace)])
        apply(part for service in CHAIN for part in self._routing(service))
        self._apply(VERSIONS[0])
        until(lambda: self.moved(VERSIONS[0]), "Argo Rollouts: the first version", PATIENCE)
        yield

    def move(self, old: str, new: str) -> None:
        self._apply(new)

    def moved(self, new: str) -> bool:
        return all(_healthy(read("rollouts.argoproj.io", service, self.namespace)) for service in CHAIN)

    def _apply(self, version: str) -> None:
        apply(self._rollout(service, version) for service in CHAIN)

    def _rollout(self, service: str, version: str) -> Manifest:
        canary = {
            "canaryService": f"{service}-canary",
            "stableService": f"{service}-stable",
            "trafficRouting": {"istio": {"virtualService": {"name": service, "routes": [ROUTE]}}},
            "steps": STEPS,
        }
        spec = {**workload(self.namespace, service, version), "replicas": 1, "strategy": {"canary": canary}}
        return manifest(self.namespace, "argoproj.io/v1alpha1", "Rollout", service, spec=spec)

    def _routing(self, service: str) -> Iterator[Manifest]:
        """Two Services, and the VirtualService whose weights Argo Rollouts writes."""
        ports = [{"name": "http", "port": PORT, "targetPort": PORT}]
        names = f"{service}-stable", f"{service}-canary"
        for name in names:
            yield manifest(self.namespace, "v1", "Service", name, spec={"selector": {"app": service}, "ports": ports})
        route = [
            {"destination": {"host": name, "port": {"number": PORT}}, "weight": weight}
            for name, weight in zip(names, (100, 0), strict=True)
        ]
        outside = service == CHAIN[0]
        spec = {
            "hosts": [host(self.namespace) if outside else f"{service}-svc"],
            "gateways": ["entry" if outside else "mesh"],
            "http": [{"name": ROUTE, "route": route}],
        }
        yield manifest(self.namespace, "networking.istio.io/v1", "VirtualService", service, spec=spec)


def _healthy(rollout: dict[str, Any]) -> bool:
    status = rollout.get("status", {})
    seen = status.get("observedGeneration") == str(rollout["metadata"]["generation"])
    return seen and status.get("phase") == "Healthy" and status.get("stableRS") == status.get("currentPodHash")
