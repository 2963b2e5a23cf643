"""graylane: one LaneGroup, and a Rollout of both services for each move, driven by `graylane controller` with the
rights of k8s/controller."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from account import CONTROLLER
from audit_log import Event
from load_mesh import apply
from load_objects import ControllerProcess
from mesh_cluster import Manifest, kubectl, own_kinds
from mesh_namespace import manifest, surroundings
from peer_mesh import CHAIN, PATIENCE, PAUSE, PORT, VERSIONS, WEIGHTS, host, read, template

API, GROUP = "graylane.dev/v1", "peers"
LANES = dict(zip(("prod", "gray", "blue"), VERSIONS, strict=True))
STEPS = [*({"weight": weight, "pause": {"for": f"{PAUSE}s"}} for weight in WEIGHTS), {"weight": 100}]


class Graylane:
    name, namespace = "graylane", "peers-graylane"

    def is_caller(self, event: Event) -> bool:
        return bool(event["user"]["username"] == f"system:serviceaccount:{self.namespace}:{CONTROLLER.name}")

    @contextmanager
    def ready(self, folder: Path) -> Iterator[None]:
        own_kinds()
        apply(surroundings(self.namespace, CHAIN, PORT))
        apply(self._deployment(service, version) for version in VERSIONS for service in CHAIN)
        self._wait("condition=Available", "deployment", "--all")
        with ControllerProcess(folder, self.namespace).running():
            apply([self._group()])
            self._wait("condition=Ready", f"lanegroups.graylane.dev/{GROUP}")
            yield
            kubectl("delete", "lanegroups.graylane.dev,rollouts.graylane.dev", "--all", "-n", self.namespace)

    def move(self, old: str, new: str) -> None:
        services = {service: {"from": old, "to": new} for service in CHAIN}
        spec = {"group": GROUP, "services": services, "entry": host(self.namespace), "steps": STEPS}
        apply([manifest(self.namespace, API, "Rollout", f"to-{new}", spec=spec)])

    def moved(self, new: str) -> bool:
        found = read("rollouts.graylane.dev", f"to-{new}", self.namespace)
        return bool(found.get("status", {}).get("phase") == "Succeeded")

    def _wait(self, condition: str, *what: str) -> None:
        kubectl("wait", f"--for={condition}", *what, "-n", self.namespace, f"--timeout={2 * PATIENCE}s")

    def _deployment(self, service: str, version: str) -> Manifest:
        labels = {"app": service, "version": version}
        pod = template(self.namespace, service, version, labels)
        spec = {"selector": {"matchLabels": labels}, "template": pod}
        return manifest(self.namespace, "apps/v1", "Deployment", f"{service}-{version}", spec=spec)

    def _group(self) -> Manifest:
        entry = {
            "hosts": [host(self.namespace)],
            "gateway": {"selector": {"istio": "ingressgateway"}, "port": 80},
            "routes": [{"path": {"prefix": "/"}, "service": CHAIN[0]}],
        }
        spec = {
            "lanes": {lane: {"versions": dict.fromkeys(CHAIN, version)} for lane, version in LANES.items()},
            "services": {service: self._service(service) for service in CHAIN},
            "entries": [entry],
        }
        return manifest(self.namespace, API, "LaneGroup", GROUP, spec=spec)

    def _service(self, service: str) -> dict[str, Any]:
        versions = {one: {"labels": {"version": one}, "workload": f"{service}-{one}"} for one in VERSIONS}
        calls = {"calls": [CHAIN[1]]} if service == CHAIN[0] else {}
        return {"host": f"{service}-svc", "port": PORT, "versions": versions, **calls}
