"""Two parts of specs from which graylane derives the same name of a resource."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from meshconfig.compile.names import entry_resources, lane_host_resources, lane_hosts, service_resource
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath

Resource = tuple[str, str, str]  # the kind, namespace and name


DEPLOYMENT, AUTOSCALER, ROUTES = "Deployment", "HorizontalPodAutoscaler", "VirtualService"


class Part(NamedTuple):
    """A part of a spec that makes or uses a resource: the field that the resource's name comes from."""

    group: Group
    path: FieldPath
    given: bool = False  # the field is the name itself

    def __str__(self) -> str:
        match self.path:
            case ("spec", "services", service, "versions", version):
                words = f"version {version} of {service}"
            case ("spec", "services", service, *_):
                words = f"service {service}"
            case _:
                words = f"entry {self.group.spec.spec.entries[int(self.path[2])].hosts[0]}"
        return f"{words} of group {'/'.join(self.group.key)}"


def check(group: Group, index: Index) -> Iterable[Hit]:
    return index.once(_hits).get(group.key, ())


def _hits(index: Index) -> dict[tuple[str, str], list[Hit]]:
    """By group. Of several parts that have one resource, each but the first gets a hit."""
    found: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for (kind, namespace, name), (first, *others) in _shared(index.groups).items():
        if _is_wrong(kind, [first, *others]):
            message = f"its {kind} is {namespace}/{name}, which {first} has too"
            for part in others:
                found[part.group.key].append(Hit(part.group, part.path, message))
    return found


def _is_wrong(kind: str, parts: list[Part]) -> bool:
    """Versions may share a Deployment that each of them names; graylane scales it for only one of them."""
    return kind != DEPLOYMENT or sum(not part.given for part in parts) > 1


def _shared(groups: Sequence[Group]) -> dict[Resource, list[Part]]:
    """The resources of more than one part. Routes within one group are compared where it is compiled."""
    first: dict[Resource, Part] = {}
    shared: dict[Resource, list[Part]] = {}
    for group in groups:
        for resource, part in (*_workloads(group), *(_routes(group) if len(groups) > 1 else ())):
            if first.setdefault(resource, part) is not part:
                shared.setdefault(resource, [first[resource]]).append(part)
    return shared


def _workloads(group: Group) -> Iterator[tuple[Resource, Part]]:
    for name in group.spec.spec.services:
        service = group.spec.service(name)
        namespace = service.namespace
        for version, one in service.spec.versions.items():
            if one.host:  # outside the mesh
                continue
            part = Part(group, ("spec", "services", name, "versions", version), one.workload is not None)
            workload = service.workload(version)
            yield (DEPLOYMENT, namespace, workload), part
            if one.autoscale:
                yield (AUTOSCALER, namespace, workload), part


def _routes(group: Group) -> Iterator[tuple[Resource, Part]]:
    for name in group.spec.spec.services:
        yield (ROUTES, *service_resource(group.spec.service(name))), Part(group, ("spec", "services", name, "host"))
    for service in group.model.services:
        for table in service.mesh_tables[1:]:  # hosts of versions outside the mesh
            yield (ROUTES, *table.name), Part(group, ("spec", "services", service.name, "versions"))
    for number, resource in enumerate(entry_resources(group.spec)):
        yield (ROUTES, *resource), Part(group, ("spec", "entries", number, "hosts"))
    resources = lane_host_resources(group.spec)
    for number, entry in enumerate(group.spec.spec.entries):
        for host in lane_hosts(group.spec, entry).values():
            yield (ROUTES, *resources[host]), Part(group, ("spec", "entries", number, "laneHosts"))


RULE = Rule(
    code="GL609",
    level=Level.ERROR,
    title="Two services, versions or entries have a resource of the same name.",
    fix="Rename one of them, give one version a workload of its own, or put another host first.",
    why="A name that is not in the spec is derived from one that is, such as SERVICE-VERSION for a Deployment, and two "
    "parts can come to the same. Of two resources of one name, the one that is applied last replaces the other.",
    spec=check,
)
