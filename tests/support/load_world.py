"""cat, mouse and dog in three versions and three lanes, in a namespace of their own: the spec of each state of the
story, and the chains that are right in it, told here without graylane's own code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mesh_namespace
import yaml
from load import Chain
from load_judge import Allowed
from mesh_cluster import Manifest

NAMESPACE, GROUP, HOST = "graylane-load", "load", "load.example.com"
CHAIN = ("cat", "mouse", "dog")
TAGS = ("", "gray", "", "blue")
PORT = 9001
GATEWAY = "istio-system/load"  # in the namespace of the Pods that serve it, where the lab's istiod looks for them

Lanes = Mapping[str, Mapping[str, str]]


def everywhere(version: str) -> Mapping[str, str]:
    return dict.fromkeys(CHAIN, version)


@dataclass(frozen=True)
class World:
    """`lanes`: each lane's version by service, where it has one; `split`: untagged traffic by lane, at the entry;
    `weights`: untagged traffic by version, at cat; `sticky`: the split keeps users;
    `backend`: what the spec renders to; `movable`: its entry uses a Gateway that both APIs have; `home`: the namespace
    of the group and its entry, where it is another than that of the services."""

    versions: tuple[str, ...]
    lanes: Lanes
    split: Mapping[str, int] | None = None
    weights: Mapping[str, int] | None = None
    sticky: bool = False
    backend: str = "istio"
    movable: bool = False
    home: str = NAMESPACE

    def chain(self, lane: str) -> Chain:
        """A lane's versions, the baseline's where it has none."""
        found = {**self.lanes["prod"], **self.lanes[lane]}
        return tuple((service, found[service]) for service in CHAIN)

    def untagged(self) -> frozenset[Chain]:
        if self.split:
            return frozenset(self.chain(lane) for lane, weight in self.split.items() if weight)
        _, *rest = self.chain("prod")
        first = [version for version, weight in self.weights.items() if weight] if self.weights else None
        return frozenset((("cat", version), *rest) for version in first or [self.lanes["prod"]["cat"]])

    def allowed(self) -> Allowed:
        return {tag: frozenset([self.chain(tag)]) if tag in self.lanes else self.untagged() for tag in set(TAGS)}

    def spec(self) -> str:
        own = {"selector": {"istio": "ingressgateway"}, "port": 80}
        entry: dict[str, Any] = {
            "hosts": [HOST],
            "gateway": {"use": GATEWAY, "listener": "http"} if self.for_gateway_api else own,
            "routes": [{"path": {"prefix": "/"}, "service": "cat"}],
        }
        if self.split:
            entry["split"] = dict(self.split)
        if self.sticky:
            entry["sticky"] = {}
        lanes = {lane: {"versions": dict(versions)} for lane, versions in self.lanes.items()}
        services = {name: self._service(name, calls) for name, calls in zip(CHAIN, after(), strict=True)}
        value = {
            "apiVersion": "graylane/v1",
            "kind": "LaneGroup",
            "metadata": {"name": GROUP, "namespace": self.home},
            "spec": {"backend": self.backend, "lanes": lanes, "services": services, "entries": [entry]},
        }
        return yaml.safe_dump(value, sort_keys=False)

    def _service(self, name: str, calls: str | None) -> dict[str, Any]:
        versions = {one: {"labels": {"version": one}, "workload": f"{name}-{one}"} for one in self.versions}
        weighted = {"weights": dict(self.weights)} if self.weights and name == "cat" else {}
        called = {"calls": [calls]} if calls else {}
        selected = {"selector": {"app": name}} if self.for_gateway_api else {}
        host = f"{name}-svc" if self.home == NAMESPACE else f"{name}-svc.{NAMESPACE}"
        return {"host": host, "port": PORT, **selected, "versions": versions, **called, **weighted}

    @property
    def for_gateway_api(self) -> bool:
        return self.movable or self.backend == "gateway"


def after() -> tuple[str | None, ...]:
    """The next hop of each service."""
    return (*CHAIN[1:], None)


def surroundings() -> list[Manifest]:
    return mesh_namespace.surroundings(NAMESPACE, CHAIN, PORT)


def shared_gateway() -> Manifest:
    """A Gateway of the Gateway API that the ingress gateway's Pods serve, for routes of any namespace."""
    namespace, _, name = GATEWAY.partition("/")
    address = {"type": "Hostname", "value": "istio-ingressgateway.istio-system.svc.cluster.local"}
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "hostname": HOST}
    spec = {
        "gatewayClassName": "istio",
        "addresses": [address],
        "listeners": [{**listener, "allowedRoutes": {"namespaces": {"from": "All"}}}],
    }
    return mesh_namespace.manifest(namespace, "gateway.networking.k8s.io/v1", "Gateway", name, spec=spec)


def shared_istio_gateway() -> Manifest:
    """A Gateway of Istio of the same name, for the same Pods and host."""
    namespace, _, name = GATEWAY.partition("/")
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [HOST]}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return mesh_namespace.manifest(namespace, "networking.istio.io/v1", "Gateway", name, spec=spec)


def deployments(version: str) -> Iterator[Manifest]:
    for name, calls in zip(CHAIN, after(), strict=True):
        labels = {"app": name, "version": version}
        args = [f"--name={name}", f"--env={version}", f"--port={PORT}", "--host=0.0.0.0", "--stack=wsgi"]
        # In full: the lab's /etc/hosts has the short names of all namespaces.
        args += [f"--service-url=http://{calls}-svc.{NAMESPACE}.svc.cluster.local:{PORT}/sayHello"] if calls else []
        container = {
            "name": "app",
            "image": "graylane-demo",
            "imagePullPolicy": "IfNotPresent",
            "args": args,
            "env": [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "env"}],
            "ports": [{"name": "http", "containerPort": PORT}],
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        yield mesh_namespace.manifest(NAMESPACE, "apps/v1", "Deployment", f"{name}-{version}", spec=spec)
