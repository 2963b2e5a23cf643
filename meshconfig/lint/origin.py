"""Where in a spec a field of a rendered resource comes from, so that a finding names what its author can change."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from meshconfig.compile import compile_group
from meshconfig.compile.services import DEFAULT
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


@dataclass(frozen=True)
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

    @property
    def _entry(self) -> Entry:
        return self.group.spec.spec.entries[self._entry_index]

    def _route(self, number: int, rest: FieldPath) -> FieldPath:
        routes = self.manifest["spec"]["http"]
        service = self.service or self._entry.routes[self.path_routes[number]].service
        if rest and rest[0] in _POLICY:
            return (*SERVICES, service, "policy", *rest)
        if "destination" in rest:
            return (*SERVICES, service, "host" if rest[-1] == "host" else "port")
        name = str(routes[number].get("name", ""))
        kind, _, index = name.rpartition("-")
        if kind == "rule" and index.isdigit():
            return (*SERVICES, service, "rules", int(index) - 1)
        if kind == "admit" and index.isdigit():
            return (*ENTRIES, self._entry_index, "admit", int(index) - 1)
        if name in self.group.spec.spec.lanes:
            return ("spec", "lanes", name)
        return (
            self._default(service) if self.entry is None else (*ENTRIES, self.entry, "routes", self.path_routes[number])
        )

    def _default(self, service: str) -> FieldPath:
        spec = self.group.spec.spec.services[service]
        said = "weights" if spec.weights else "default" if spec.default else ""
        return (*SERVICES, service, said) if said else (*SERVICES, service)

    @cached_property
    def path_routes(self) -> list[int]:
        """For each HTTP route, which of the entry's path routes it is of: each of them ends with a route `default`."""
        ends = [route.get("name") == DEFAULT for route in self.manifest["spec"]["http"]]
        return [0, *accumulate(map(int, ends[:-1]))]

    def last_of_path(self, number: int) -> int:
        """The last HTTP route for the same path."""
        return bisect_right(self.path_routes, self.path_routes[number]) - 1


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
