"""A namespace with sidecars and Services, in which other tests' resources are not heard of."""

from collections.abc import Iterable
from typing import Any

from mesh_cluster import Manifest


def manifest(namespace: str, api: str, kind: str, name: str, **parts: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **parts}


def surroundings(namespace: str, services: Iterable[str], port: int) -> list[Manifest]:
    """What is no version's: the namespace, the Services, and a Sidecar that keeps other tests' resources away."""
    metadata = {"name": namespace, "labels": {"istio-injection": "enabled"}}
    egress = [{"hosts": ["./*"]}]
    sidecar = manifest(namespace, "networking.istio.io/v1", "Sidecar", "default", spec={"egress": egress})
    found = [_service(namespace, name, port) for name in services]
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, sidecar, *found]


def _service(namespace: str, name: str, port: int) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": port}]}
    return manifest(namespace, "v1", "Service", f"{name}-svc", spec=spec)
