"""A mesh as people write it by hand, in the style of Istio's samples, in parts that tests put together."""

import yaml

from meshconfig.load import parse

BOOKS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: books, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: books, namespace: demo}
spec:
  hosts: ["*"]
  gateways: [books]
  http:
    - match: [{uri: {exact: /page}}, {uri: {prefix: /static}}]
      route: [{destination: {host: page, port: {number: 9080}}}]
"""

PODS = """
apiVersion: v1
kind: Service
metadata: {name: %(name)s, namespace: demo}
spec: {selector: {app: %(name)s}, ports: [{port: 9080, name: http}]}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s-%(version)s, namespace: demo}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: %(name)s, version: %(version)s}}
    spec: {containers: [{name: app, image: app}]}
"""

VERSIONS = {"page": ("v1",), "reviews": ("v1", "v2", "v3"), "ratings": ("v1",)}


def surroundings() -> list[str]:
    """Services, Deployments and DestinationRules of all services."""
    found = []
    for name, versions in VERSIONS.items():
        found.append(PODS % {"name": name})
        found += [DEPLOYMENT % {"name": name, "version": version} for version in versions]
        found.append(rule(name, *versions))
    return found


def rule(name: str, *versions: str, **more: object) -> str:
    subsets = [{"name": one, "labels": {"version": one}} for one in versions]
    return _written("DestinationRule", name, {"host": name, "subsets": subsets, **more})


def routes(name: str, *http: object, **more: object) -> str:
    return _written("VirtualService", name, {"hosts": [name], "http": list(http), **more})


def to(host: str, *weights: tuple[str, int] | str, match: object = None, **more: object) -> dict:
    """A route to subsets, each with its weight."""
    pairs = [one if isinstance(one, tuple) else (one, None) for one in weights]
    targets = [
        {"destination": {"host": host, "subset": subset}, **({} if weight is None else {"weight": weight})}
        for subset, weight in pairs
    ]
    return {**({"match": [match]} if match else {}), "route": targets, **more}


def header(name: str, value: str) -> dict:
    return {"headers": {name: {"exact": value}}}


def _written(kind: str, name: str, spec: object) -> str:
    metadata = {"name": name, "namespace": "demo"}
    return yaml.safe_dump({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec})


def documents(*parts: str, file: str = "mesh.yaml"):
    """Manifests with their sources."""
    return [(one.value, one) for one in parse("---\n".join(parts), file)]
