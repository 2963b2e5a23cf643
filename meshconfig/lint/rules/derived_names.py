"""Two parts of specs from which graylane derives the same name of a resource."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshconfig.compile.names import entry_resources, service_resource
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath
from meshconfig.model import Name


class Part(NamedTuple):
    """A part of a spec that makes or uses a resource, and the field that the resource's name comes from."""

    group: Group
    path: FieldPath
    words: str
    given: bool = False  # the field is the name itself


Parts = dict[tuple[str, Name], list[Part]]


def check(group: Group, index: Index) -> Iterable[Hit]:
    return index.once(_hits).get(group.key, ())


def _hits(index: Index) -> dict[tuple[str, str], list[Hit]]:
    """By group. Of several parts that have one resource, each but the first gets a hit."""
    found: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for (kind, name), (first, *others) in _named(index.groups).items():
        if others and _is_wrong(kind, [first, *others]):
            theirs = f"{first.words} of group {'/'.join(first.group.key)}"
            message = f"its {kind} is {name.namespace}/{name.name}, which {theirs} has too"
            for part in others:
                found[part.group.key].append(Hit(part.group, part.path, message))
    return found


def _is_wrong(kind: str, parts: list[Part]) -> bool:
    """Versions may share a Deployment that each of them names; graylane scales it for them only once."""
    return kind != DEPLOYMENT or sum(not part.given for part in parts) > 1


DEPLOYMENT, AUTOSCALER = "Deployment", "HorizontalPodAutoscaler"


def _named(groups: Iterable[Group]) -> Parts:
    found: Parts = defaultdict(list)
    for group in groups:
        for key, part in (*_services(group), *_entries(group)):
            found[key].append(part)
    return found


def _services(group: Group) -> Iterator[tuple[tuple[str, Name], Part]]:
    for name in group.spec.spec.services:
        service, path = group.spec.service(name), ("spec", "services", name)
        yield ("VirtualService", service_resource(service)), Part(group, (*path, "host"), f"service {name}")
        for version, one in service.spec.versions.items():
            workload = Name(service.namespace, service.workload(version))
            part = Part(group, (*path, "versions", version), f"version {version} of {name}", one.workload is not None)
            yield (DEPLOYMENT, workload), part
            if one.autoscale:
                yield (AUTOSCALER, workload), part


def _entries(group: Group) -> Iterator[tuple[tuple[str, Name], Part]]:
    for number, name in enumerate(entry_resources(group.spec)):
        host = group.spec.spec.entries[number].hosts[0]
        yield ("VirtualService", name), Part(group, ("spec", "entries", number, "hosts"), f"entry {host}")


RULE = Rule(
    code="GL609",
    level=Level.ERROR,
    title="Two services, versions or entries have a resource of the same name.",
    fix="Rename one of them, give one version a workload of its own, or put another host first.",
    why="A name that is not in the spec is derived from one that is, such as SERVICE-VERSION for a Deployment, and two "
    "parts can come to the same. Of two resources of one name, the one that is applied last replaces the other.",
    spec=check,
)
