"""What the rollouts under load move: cat and mouse in three versions, and a dog behind them that stays; the LaneGroup
as it is before and after, and the chains that are right meanwhile, told here without graylane's own code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mesh_namespace
import yaml
from load import Chain
from load_judge import Allowed
from mesh_cluster import Manifest

NAMESPACE, GROUP, HOST = "graylane-controller", "pets", "rollouts.example.com"
CHAIN = ("cat", "mouse", "dog")
MOVED = ("cat", "mouse")
OLD = "v1"
LANES = {"v2": "gray", "v3": "blue"}  # the lane that carries each new version
PORT = 9001

Sizes = Mapping[str, int]  # version → Pods of each service that moves


@dataclass(frozen=True)
class State:
    """What may be answered: `new` are the versions that a header asks for, `untagged` those that a request without a
    tag may get, `prod` the baseline's. A chain is of one version, but for the dog, which stays."""

    new: tuple[str, ...]
    untagged: tuple[str, ...] = (OLD,)
    prod: str = OLD

    @property
    def tags(self) -> tuple[str, ...]:
        """What the load sends, in turn; half of it is untagged."""
        return tuple(tag for lane in (*(LANES[version] for version in self.new), "prod") for tag in ("", lane))

    def allowed(self) -> Allowed:
        lanes = {"prod": self.prod, **{LANES[version]: version for version in self.new}}
        tagged = {lane: frozenset([chain(version)]) for lane, version in lanes.items()}
        return {"": frozenset(map(chain, self.untagged)), **tagged}


def chain(version: str) -> Chain:
    return tuple((service, version if service in MOVED else OLD) for service in CHAIN)


def group(new: Sequence[str], prod: str = OLD, gone: Sequence[str] = ()) -> str:
    """The LaneGroup; `gone` are versions of the services that move which it no longer has."""
    lanes = {"prod": {**_everywhere(prod), "dog": OLD}, **{LANES[version]: _everywhere(version) for version in new}}
    versions = [version for version in (OLD, *new) if version not in gone]
    entry = {
        "hosts": [HOST],
        "gateway": {"selector": {"istio": "ingressgateway"}, "port": 80},
        "routes": [{"path": {"prefix": "/"}, "service": "cat"}],
    }
    spec = {
        "lanes": {lane: {"versions": found} for lane, found in lanes.items()},
        "services": {
            "cat": _service("cat", versions, "mouse"),
            "mouse": _service("mouse", versions, "dog"),
            "dog": _service("dog", [OLD]),
        },
        "entries": [entry],
    }
    return _document("LaneGroup", GROUP, spec)


def rollout(name: str, to: str, steps: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """cat and mouse from v1 to another version, split at the entry."""
    services = {service: {"from": OLD, "to": to} for service in MOVED}
    spec = {"group": GROUP, "services": services, "entry": HOST, "steps": list(steps), **more}
    return _document("Rollout", name, spec)


def _document(kind: str, name: str, spec: Manifest) -> str:
    metadata = {"name": name, "namespace": NAMESPACE}
    document = {"apiVersion": "graylane/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def _everywhere(version: str) -> dict[str, str]:
    return dict.fromkeys(MOVED, version)


def _service(name: str, versions: Sequence[str], calls: str = "") -> Manifest:
    found = {one: {"labels": {"version": one}, "workload": f"{name}-{one}"} for one in versions}
    return {"host": f"{name}-svc", "port": PORT, "versions": found, **({"calls": [calls]} if calls else {})}


def surroundings() -> list[Manifest]:
    return mesh_namespace.surroundings(NAMESPACE, CHAIN, PORT)


def deployments(sizes: Sizes, *, fail_rate: int = 0) -> Iterator[Manifest]:
    """One for each version of the services that move, and the dog's.

    Parameters:
        fail_rate: the percent of its requests that each cat but v1 answers by 500.
    """
    yield _deployment("dog", OLD, 1)
    for version, replicas in sizes.items():
        fails = [f"--fail-rate={fail_rate}"] if fail_rate and version != OLD else []
        yield _deployment("cat", version, replicas, _url("mouse"), *fails)
        yield _deployment("mouse", version, replicas, _url("dog"))


def _url(service: str) -> str:
    # In full: the lab's /etc/hosts has the short names of all namespaces.
    return f"--service-url=http://{service}-svc.{NAMESPACE}.svc.cluster.local:{PORT}/sayHello"


def _deployment(name: str, version: str, replicas: int, *args: str) -> Manifest:
    labels = {"app": name, "version": version}
    container = {
        "name": "app",
        "image": "graylane-demo",
        "imagePullPolicy": "IfNotPresent",
        "args": [f"--name={name}", f"--env={version}", f"--port={PORT}", "--host=0.0.0.0", "--stack=wsgi", *args],
        "env": [{"name": "PROPAGATION_REMOTE_FIELDS", "value": "env"}],
        "ports": [{"name": "http", "containerPort": PORT}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return mesh_namespace.manifest(NAMESPACE, "apps/v1", "Deployment", f"{name}-{version}", spec=spec)
