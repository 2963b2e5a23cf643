"""Where in a spec a field of a rendered resource comes from, so that a finding names what its author can change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshconfig.compile import compile_group
from meshconfig.errors import Location
from meshconfig.groups import Group
from meshconfig.istio import MESH, Manifest
from meshconfig.load import FieldPath
from meshconfig.render import render
from meshconfig.spec import Entry
from meshconfig.spec.istio_policy import Policy

SERVICES: FieldPath = ("spec", "services")
ENTRIES: FieldPath = ("spec", "entries")
_POLICY = frozenset(info.alias or name for name, info in Policy.model_fields.items())


@dataclass(frozen=True, slots=True)
class Rendered:
    """A resource that a group renders to. `service` is the spec's name of its service, `entry` its entry's index."""

    group: Group
    manifest: Manifest = field(repr=False, compare=False)
    service: str = ""
    entry: int | None = None

    def locate(self, path: Sequence[str | int]) -> Location:
        return self.group.locate(self.field(path))

    def field(self, path: Sequence[str | int]) -> FieldPath:
        """The field of the spec that a field of the resource was made from."""
        here = tuple(path)
        if self.manifest["kind"] == "VirtualService" and here[:2] == ("spec", "http") and len(here) > 2:
            return self._route(int(here[2]), here[3:])
        if self.entry is not None:
            return self._entry_field(here)
        return self._service_field(here) if self.service else ("spec",)

    def _service_field(self, path: FieldPath) -> FieldPath:
        at = (*SERVICES, self.service)
        match path[1:]:
            case ("hosts" | "host", *_):
                return (*at, "host")
            case ("trafficPolicy", *rest):
                return (*at, "trafficPolicy", *rest)
            case ("subsets", int(number), *rest):
                versions = list(self.group.spec.spec.services[self.service].versions)
                return (*at, "versions", versions[number], *rest) if number < len(versions) else at
        return at

    def _entry_field(self, path: FieldPath) -> FieldPath:
        at = (*ENTRIES, self._entry_index)
        match path[1:]:
            case ("hosts", *_) | ("servers", int(), "hosts", *_):
                return (*at, "hosts")
            case ("gateways", *_):
                return (*at, "gateway", "use")
            case ("selector", *rest):
                return (*at, "gateway", "selector", *rest)
            case ("servers", *_):
                return (*at, "gateway")
        return at

    @property
    def _entry_index(self) -> int:
        return self.entry or 0

    def _route(self, number: int, rest: FieldPath) -> FieldPath:
        routes = self.manifest["spec"]["http"]
        service = self.service or self._path_route(routes, number)[1]
        if rest and rest[0] in _POLICY:
            return (*SERVICES, service, "policy", *rest)
        if "destination" in rest:
            return (*SERVICES, service, "host" if rest[-1] == "host" else "port")
        name, _, index = str(routes[number].get("name", "")).rpartition("-")
        if name == "rule" and index.isdigit():
            return (*SERVICES, service, "rules", int(index) - 1)
        if self.entry is None:
            return self._default(service) if index == "default" else (*SERVICES, service)
        if name == "admit" and index.isdigit():
            return (*ENTRIES, self.entry, "admit", int(index) - 1)
        return (*ENTRIES, self.entry, "routes", self._path_route(routes, number)[0])

    def _default(self, service: str) -> FieldPath:
        spec = self.group.spec.spec.services[service]
        said = "weights" if spec.weights else "default" if spec.default else ""
        return (*SERVICES, service, said) if said else (*SERVICES, service)

    def _path_route(self, routes: Sequence[Mapping[str, Any]], number: int) -> tuple[int, str]:
        """Which of the entry's path routes a route belongs to: each of them ends with a route `default`."""
        index = sum(route.get("name") == "default" for route in routes[:number])
        spec: Entry = self.group.spec.spec.entries[self._entry_index]
        return index, spec.routes[index].service


def rendered(group: Group) -> Iterable[tuple[Manifest, Rendered]]:
    """All resources of a group, each with where it comes from."""
    model = compile_group(group.spec)
    services = {(one.namespace, one.resource): one.name for one in model.services}
    entries = {(one.namespace, one.resource): number for number, one in enumerate(model.entries)}
    gateways = {(one.namespace, one.own.name): number for number, one in enumerate(model.entries) if one.own}
    for manifest in render([model]):
        key = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        match manifest["kind"]:
            case "Gateway":
                yield manifest, Rendered(group, manifest, entry=gateways[key])
            case "VirtualService" if manifest["spec"]["gateways"] != [MESH]:
                yield manifest, Rendered(group, manifest, entry=entries[key])
            case "VirtualService" | "DestinationRule":
                yield manifest, Rendered(group, manifest, service=services[key])
            case _:
                yield manifest, Rendered(group, manifest)
