"""The chain that each tool moves in benchmarks/peers.py: cat calls mouse, and a caller of one version must meet a
callee of the same version. Each tool has a namespace of its own."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from audit_log import Event
from load import Chain
from load_judge import Allowed
from mesh_cluster import Manifest, kubectl
from mesh_namespace import manifest

CHAIN = ("cat", "mouse")
PORT = 9001
VERSIONS = ("v1", "v2", "v3")
WEIGHTS = (10, 50, 80)  # percent of the requests for the new version, before the step to all of them
PAUSE = 10  # seconds at each of these weights; Flagger's analysis knows no shorter interval
PATIENCE = 60  # seconds for Pods to become ready, before anything is measured


class Tool(Protocol):
    """One that moves the chain from version to version."""

    name: str

    @property
    def namespace(self) -> str: ...

    def is_caller(self, event: Event) -> bool:
        """Whether this entry of the audit log is of the tool's own controller."""

    def ready(self, folder: Path) -> AbstractContextManager[None]:
        """While the block runs, all is there, and every request gets the first version."""

    def move(self, old: str, new: str) -> None:
        """Asks for the move of both services, and returns."""

    def moved(self, new: str) -> bool:
        """Whether the tool says of both services that they have moved."""


def host(namespace: str) -> str:
    """What clients outside ask for."""
    return f"{namespace}.example.com"


def whole(version: str) -> Chain:
    return tuple((service, version) for service in CHAIN)


class OneVersion:
    """The state in which any chain is right that has one version."""

    def allowed(self) -> Allowed:
        return {"": frozenset(map(whole, VERSIONS))}


def template(namespace: str, service: str, version: str, labels: Mapping[str, str]) -> Manifest:
    """The Pod of a version."""
    args = [f"--name={service}", f"--env={version}", f"--port={PORT}", "--host=0.0.0.0", "--stack=wsgi"]
    if service == CHAIN[0]:
        # In full: the lab's /etc/hosts has the short names of all namespaces.
        args.append(f"--service-url=http://{CHAIN[1]}-svc.{namespace}.svc.cluster.local:{PORT}/sayHello")
    container = {
        "name": "app",
        "image": "graylane-demo",
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "env": [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "env"}],
        "ports": [{"name": "http", "containerPort": PORT}],
    }
    return {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}}


def workload(namespace: str, service: str, version: str) -> Manifest:
    """What a Deployment and a Rollout of Argo have in common; the number of Pods is the tool's business."""
    labels = {"app": service}
    return {"selector": {"matchLabels": labels}, "template": template(namespace, service, version, labels)}


def gateway(namespace: str) -> Manifest:
    """The Gateway `entry`, for a tool that makes none."""
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host(namespace)]}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return manifest(namespace, "networking.istio.io/v1", "Gateway", "entry", spec=spec)


def read(kind: str, name: str, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", kind, name, "-n", namespace, "-o", "json").stdout)
    return found
