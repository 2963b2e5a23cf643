"""The values of the translation: endpoints as input; listeners, routes, clusters and notes as output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from meshconfig.istio.hosts import overlap

Json = dict[str, Any]
Noted = Callable[[str, str], None]  # called with a field's path and the reason why it has no effect


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The local counterpart of a Pod: a process of a service, with the labels that subsets select."""

    service: str  # the Service's fully qualified host
    service_port: int
    labels: Mapping[str, str]
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Listener:
    """An address of the local mesh: a port of a Gateway, or of a service as other services call it.

    `port` is the port in the cluster. `hosts` are those of the Gateway's servers, or of the service.
    """

    name: str
    kind: Literal["gateway", "mesh"]
    port: int
    hosts: tuple[str, ...]

    def serves(self, host: str) -> bool:
        """Whether a host, which may be a wildcard, overlaps with a host of the listener."""
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
    """A configuration for Envoy: `routes` by the name of their listener, `clusters` by their own name."""

    listeners: tuple[Listener, ...] = ()
    routes: Mapping[str, Json] = field(default_factory=dict)
    clusters: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def mesh_listener(host: str, port: int) -> str:
    """The name of the listener at which other services call a service."""
    return f"mesh|{port}|{host}"
