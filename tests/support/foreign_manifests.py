"""Terse manifests in the styles in which other people write them, and requests to ask of them: see `foreign_styles`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

HOME, AWAY, BARE = "explain-a", "explain-b", "explain-c"  # BARE has no Pods
DOMAIN = "svc.cluster.local"
Manifest = dict[str, Any]


class Outside(NamedTuple):
    """A request to the ingress gateway's Pod."""

    host: str
    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"


class Inside(NamedTuple):
    """A request of the sender in a namespace, to the address of `dial`: a Service, or `pod`, one of `web`'s Pods.

    A sidecar looks at the address where it reads no HTTP or has to find out whether it is.
    """

    host: str
    port: int
    dial: str
    namespace: str = HOME
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"


@dataclass
class Case:
    name: str
    manifests: Sequence[Manifest]
    asked: Sequence[Outside | Inside]


_NUMBERS = count(1)


def kind(kind: str, name: str, spec: Any, namespace: str = HOME, api: str = "networking.istio.io/v1") -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def vs(name: str, hosts: list[str], *http: Manifest, namespace: str = HOME, **spec: Any) -> Manifest:
    """A VirtualService; without hosts it is a delegate."""
    body = {**({"hosts": hosts} if hosts else {}), **({"http": list(http)} if http else {}), **spec}
    return kind("VirtualService", name, {key: value for key, value in body.items() if value is not None}, namespace)


def to(host: str, subset: str = "", *match: Manifest, port: int | None = None, **route: Any) -> Manifest:
    destination = {
        "host": host,
        **({"subset": subset} if subset else {}),
        **({"port": {"number": port}} if port else {}),
    }
    return {**({"match": list(match)} if match else {}), "route": [{"destination": destination}], **route}


def says(status: int, *match: Manifest) -> Manifest:
    return {**({"match": list(match)} if match else {}), "directResponse": {"status": status}}


def gw(
    name: str, port: int, hosts: list[str], protocol: str = "HTTP", namespace: str = HOME, **server: Any
) -> Manifest:
    one = {"port": {"number": port, "name": f"p{port}", "protocol": protocol}, "hosts": hosts, **server}
    return kind("Gateway", name, {"selector": {"istio": "ingressgateway"}, "servers": [one]}, namespace)


def service(name: str, *ports: tuple[int, str], app: str = "web", namespace: str = HOME, **spec: Any) -> Manifest:
    listed = [{"port": number, "targetPort": 9001, **({"name": label} if label else {})} for number, label in ports]
    body = {**({"selector": {"app": app}} if app else {}), **({"ports": listed} if listed else {}), **spec}
    return kind("Service", name, body, namespace, "v1")


def alias(name: str, of: str, *ports: tuple[int, str]) -> Manifest:
    return service(name, *ports, app="", type="ExternalName", externalName=of)


def rule(name: str, host: str, *versions: str, namespace: str = HOME, **spec: Any) -> Manifest:
    subsets = [{"name": one, "labels": {"version": one}} for one in versions]
    return kind("DestinationRule", name, {"host": host, "subsets": subsets, **spec}, namespace)


def full(name: str, namespace: str = HOME) -> str:
    return f"{name}.{namespace}.{DOMAIN}"


V2 = {"headers": {"end-user": {"exact": "jason"}}}
JASON = (("end-user", "jason"),)


def fresh(what: str) -> tuple[str, int]:
    """A name and a port that no other case has."""
    number = next(_NUMBERS)
    return f"{what}{number}", 21000 + number


def stream(subset: str, host: str = "web", **match: Any) -> Manifest:
    return {
        **({"match": [match]} if match else {}),
        "route": [{"destination": {"host": host, "subset": subset, "port": {"number": 80}}}],
    }
