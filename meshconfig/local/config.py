"""What the translation works on and gives: endpoints in; listeners, route configurations, clusters and notes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from meshconfig.istio.hosts import overlap

Json = dict[str, Any]
Noted = Callable[[str, str], None]  # a field's path and what is not translated there


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a Pod is to Istio: a process that answers for a service, with the labels that subsets select."""

    service: str  # the Service's host, in full
    service_port: int
    labels: Mapping[str, str]
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Listener:
    """One address at which the local mesh answers: a Gateway's port, or a service's, as its callers reach it.

    `port` is the one in the cluster; `hosts` are those of the Gateway's servers, or the service's own.
    """

    name: str
    kind: Literal["gateway", "mesh"]
    port: int
    hosts: tuple[str, ...]

    def serves(self, host: str) -> bool:
        """Is there a name that both this host, which may be a wildcard, and one of the listener's have?"""
        return any(overlap(one, host) for one in self.hosts)


@dataclass(frozen=True, slots=True)
class Note:
    """A field of a resource that has no effect on this machine, and why."""

    resource: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class EnvoyConfig:
    """What Envoy is told: `routes` by the name of their listener, `clusters` by their own."""

    listeners: tuple[Listener, ...] = ()
    routes: Mapping[str, Json] = field(default_factory=dict)
    clusters: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def mesh_listener(host: str, port: int) -> str:
    """The name of the listener at which a service's callers reach it."""
    return f"mesh|{port}|{host}"
