"""A state by what its resources are for, and the few fields of them that a plan reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.istio import MESH

Route = dict[str, Any]
Http = list[Route]


@dataclass(frozen=True, slots=True)
class Parts:
    """`mesh`: VirtualServices between services; `entries`: those at gateways; `others`: autoscalers and the like."""

    mesh: dict[Key, Manifest] = field(default_factory=dict)
    entries: dict[Key, Manifest] = field(default_factory=dict)
    gateways: dict[Key, Manifest] = field(default_factory=dict)
    rules: dict[Key, Manifest] = field(default_factory=dict)
    others: dict[Key, Manifest] = field(default_factory=dict)

    @property
    def virtual_services(self) -> Iterable[Manifest]:
        return (*self.mesh.values(), *self.entries.values())

    @classmethod
    def of(cls, state: State) -> "Parts":
        parts = cls()
        kinds = {"Gateway": parts.gateways, "DestinationRule": parts.rules}
        for name, manifest in state.items():
            if name.kind == "VirtualService":
                (parts.mesh if _in_mesh(manifest) else parts.entries)[name] = manifest
            else:
                kinds.get(name.kind, parts.others)[name] = manifest
        return parts


def _in_mesh(manifest: Manifest) -> bool:
    return MESH in (spec(manifest).get("gateways") or [MESH])


def spec(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("spec") or {}


def http(manifest: Manifest | None) -> Http:
    """The routes of a VirtualService; none where there is none."""
    return list(spec(manifest).get("http") or []) if manifest else []


def with_http(manifest: Manifest, routes: Http) -> Manifest:
    return {**manifest, "spec": {**spec(manifest), "http": routes}}


def host(manifest: Manifest) -> str:
    """The first host of a VirtualService or the host of a DestinationRule."""
    found = spec(manifest).get("host") or next(iter(spec(manifest).get("hosts") or ()), "")
    return str(found).lower()


def subsets(rule: Manifest | None) -> dict[str, Any]:
    """A DestinationRule's subsets by name."""
    return {one.get("name", ""): one for one in spec(rule).get("subsets") or ()} if rule else {}


def with_subsets(rule: Manifest, found: Iterable[Any]) -> Manifest:
    return {**rule, "spec": {**spec(rule), "subsets": list(found)}}


def destinations(routes: Http) -> Iterator[dict[str, Any]]:
    """Every destination of routes, mirrors included."""
    for route in routes:
        for one in (*(route.get("route") or ()), *(route.get("mirrors") or ())):
            yield one.get("destination") or {}
        if route.get("mirror"):
            yield route["mirror"]


def short(name: str) -> str:
    """What people call a host."""
    return name.partition(".")[0]
