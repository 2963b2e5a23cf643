"""What `--against` names in place of a cluster: an earlier spec, a rendered directory, or files of a Git revision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshconfig.cli.git_files import PREFIX, Revision, read_at
from meshconfig.errors import InputError
from meshconfig.groups import Group, groups_among
from meshconfig.istio import Resources
from meshconfig.istio.resources import opened
from meshconfig.load import Document, load
from meshconfig.render import render

if TYPE_CHECKING:
    from meshconfig.cluster.change import Prepared, Wanted

Key = tuple[str, str]  # the namespace and name of a group
Manifests = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stands for the cluster.

    Parameters:
        name: how it is called in messages.
        groups: its specs.
        manifests: its resources, where it has no specs.
        notes: what is remarkable, one sentence each.
    """

    name: str
    groups: Mapping[Key, Group] = field(default_factory=dict)
    manifests: Manifests = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def prepare(self, wanted: "Sequence[Wanted]", *, fast: bool = False) -> "list[Prepared]":
        """The changes from here to the wanted groups.

        Raises:
            NotOurs: a wanted resource has the name of another one.
        """
        from meshconfig.cluster.change import prepare_offline

        return [prepare_offline(one, *self._resources(one, wanted), fast=fast) for one in wanted]

    def _resources(self, one: "Wanted", wanted: "Sequence[Wanted]") -> tuple[Manifests, Manifests]:
        """The resources of a group, and those of others."""
        if not self.manifests:
            key = (one.namespace, one.group)
            before = [self.groups[key].model] if key in self.groups else []
            return [*render(before)], [*render(each.model for name, each in self.groups.items() if name != key)]
        from meshconfig.cluster.change import group_of

        places = _places(one) if sum(each.group == one.group for each in wanted) > 1 else None
        own_or_not: tuple[Manifests, Manifests] = ([], [])
        for manifest in self.manifests:
            own = group_of(manifest) == one.group
            if own and places is not None:
                own = manifest["metadata"].get("namespace", one.namespace) in places
            own_or_not[not own].append(manifest)
        return own_or_not

    def left(self, wanted: "Sequence[Wanted]") -> list[str]:
        """A sentence for each group that the files have no more: an apply does not delete it."""
        from meshconfig.cluster.change import group_of

        names = {(one.namespace, one.group) for one in wanted}
        gone = [f"{namespace}/{name}" for namespace, name in sorted(self.groups.keys() - names)]
        labelled = {group for one in self.manifests if (group := group_of(one))}
        gone += sorted(labelled - {one.group for one in wanted})
        return [f"group {one} is in {self.name} alone: apply leaves it; graylane delete removes it" for one in gone]


def _places(one: "Wanted") -> set[str]:
    """The namespaces in which a group has resources; a resource's label names its group without the namespace."""
    return {one.namespace, *(manifest["metadata"]["namespace"] for manifest in render([one.model]))}


def read_against(old: str, files: Sequence[str]) -> Earlier:
    """What an option `--against` names.

    Parameters:
        old: a file, a directory, `git:REVISION` or `git:REVISION:PATH`.
        files: those that are read now.

    Raises:
        InputError: it cannot be read, or has neither specs nor resources of graylane.
    """
    if old.startswith(PREFIX):
        documents, missing = read_at(Revision.parse(old), files)
        notes = tuple(f"{name} is new since {old.removeprefix(PREFIX)}" for name in missing)
    elif old == "-" and "-" in files:
        raise InputError.at("--against", "standard input can be read once: FILE is - too")
    else:
        documents, notes = load([old]), ()
    groups = {one.key: one for one in groups_among(documents)}
    foreign = [] if groups else [one for one in documents if not one.own and not one.foreign]
    Resources.parse([(one.value, one) for one in foreign])  # says where one cannot be read
    manifests = [one for document in foreign for one in _manifests(document)]
    if documents and not groups and not manifests:
        raise InputError.at(old, "no spec and no resource here")
    return Earlier(old, groups, manifests, notes)


def _manifests(document: Document) -> Manifests:
    """The resources of a document, which may be a `List`."""
    return [dict(one) for one, _ in opened(document.value) if isinstance(one, dict)]
