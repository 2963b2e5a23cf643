"""Services in chains of two, and preview lanes over them: specs, Lanes, and the chain that is right for each lane, told
here without graylane's own code.

A service's version is what the variable VERSION of its container says: a Lane sets it to its own name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import mesh_namespace
import yaml
from load import Chain
from load_judge import Allowed
from mesh_cluster import Manifest

# The group is that of examples/previews, with more services: its Lane is one here, too.
GROUP, BASE = "pets", "prod"
NAMES = ("cat", "mouse", "dog", "bird", "fox", "owl", "hen", "elk", "ant", "bee")
PORT = 9001
IMAGE = "graylane-demo"


@dataclass(frozen=True, slots=True)
class Preview:
    """A lane with its own versions of some services of one chain."""

    name: str
    chain: int
    services: tuple[str, ...]


@dataclass(frozen=True)
class PreviewChains:
    """`services`: how many, an even number; `lanes`: how many previews."""

    namespace: str
    services: int
    lanes: int

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES[: self.services]

    @property
    def chains(self) -> list[tuple[str, str]]:
        """The callers and what they call."""
        return list(zip(self.names[::2], self.names[1::2], strict=True))

    def host(self, chain: int) -> str:
        return f"{self.chains[chain][0]}.{self.namespace}.example.com"

    def previews(self) -> list[Preview]:
        """Of each chain some with the caller's version, some with the called one's, and some with both."""
        kinds = ((0,), (1,), (0, 1))
        return [
            Preview(f"pr-{number}", chain, tuple(self.chains[chain][place] for place in places))
            for number in range(self.lanes)
            for chain, places in [(number % len(self.chains), kinds[number // len(self.chains) % len(kinds)])]
        ]

    def chain(self, number: int, lane: Preview | None = None) -> Chain:
        """Who answers in a lane, or without one."""
        own = lane.services if lane else ()
        return tuple((name, lane.name if lane and name in own else BASE) for name in self.chains[number])

    def right(self, tag: str, number: int, lane: Preview | None = None) -> Allowed:
        return {tag: frozenset([self.chain(number, lane)])}

    def group(self) -> str:
        entries = [
            {
                "hosts": [self.host(number)],
                "gateway": {"selector": {"istio": "ingressgateway"}, "port": 80},
                "cookie": "lane",
                "links": "/.lane",
                "laneHosts": f"{{lane}}.{self.host(number)}",
                "routes": [{"path": {"prefix": "/"}, "service": caller}],
            }
            for number, (caller, _) in enumerate(self.chains)
        ]
        calls = dict(self.chains)
        services = {
            name: {
                "host": f"{name}-svc",
                "port": PORT,
                "versions": {BASE: {"labels": {"version": BASE}}},
                **({"calls": [calls[name]]} if name in calls else {}),
            }
            for name in self.names
        }
        value = {
            "apiVersion": "graylane.dev/v1",
            "kind": "LaneGroup",
            "metadata": {"name": GROUP, "namespace": self.namespace},
            "spec": {"trail": True, "lanes": {BASE: {}}, "services": services, "entries": entries},
        }
        return yaml.safe_dump(value, sort_keys=False)

    # As a story's state says it: `load_mesh.Spec`.
    spec = group

    def lane(self, one: Preview, ttl: str = "2h") -> Manifest:
        version = {"from": BASE, "image": f"{IMAGE}:{one.name}", "env": {"VERSION": one.name}}
        spec = {"group": GROUP, "ttl": ttl, "versions": dict.fromkeys(one.services, version)}
        return mesh_namespace.manifest(self.namespace, "graylane.dev/v1", "Lane", one.name, spec=spec)

    def surroundings(self) -> list[Manifest]:
        return mesh_namespace.surroundings(self.namespace, self.names, PORT)

    def deployments(self) -> Iterator[Manifest]:
        calls = dict(self.chains)
        for name in self.names:
            labels = {"app": name, "version": BASE}
            args = [f"--name={name}", "--env=$(VERSION)", f"--port={PORT}", "--host=0.0.0.0", "--stack=wsgi"]
            if called := calls.get(name):
                # In full: the lab's /etc/hosts has the short names of all namespaces.
                args.append(f"--service-url=http://{called}-svc.{self.namespace}.svc.cluster.local:{PORT}/sayHello")
            variables = {"VERSION": BASE, "PROPAGATION_REMOTE_FIELDS": "env"}
            container = {
                "name": "app",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "args": args,
                "env": [{"name": key, "value": value} for key, value in variables.items()],
                "ports": [{"name": "http", "containerPort": PORT}],
            }
            template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
            spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
            yield mesh_namespace.manifest(self.namespace, "apps/v1", "Deployment", f"{name}-{BASE}", spec=spec)
