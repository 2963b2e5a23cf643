"""Writes the spec of a LaneGroup object that is there, beside whoever else owns fields of it.

What Git owns is Git's: a tool of GitOps writes it again, so that a change belongs into a commit. What anybody else
owns is taken over only where the caller says so. All of this is found out before the first write.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from meshconfig.cluster import custom, lanegroups
from meshconfig.cluster.change.check import conflict_line
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import CustomObject
from meshconfig.cluster.diff import Field, ResourceDiff
from meshconfig.cluster.fields import OtherManager, other_managers
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.objects import MANAGER, Manifest
from meshconfig.cluster.paths import path
from meshconfig.cluster.revision import DRIFT, digest, document
from meshconfig.errors import ClusterError, Conflict
from meshconfig.spec import API_VERSION, LaneGroup

# Field managers of tools that keep what Git says. Sources: fluxcd/kustomize-controller and helm-controller (the
# controllers' names), argoproj/argo-cd common.ArgoCDSSAManager, and the name of its client for client-side apply.
GIT = {
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
}
SHOWN = 5  # fields in a message


class OwnedError(ClusterError):
    """Other managers own fields of the object; nothing was written."""


class MeanwhileError(OwnedError):
    """Somebody else has changed the object since it was read; nothing was written."""


class OldKindError(ClusterError):
    """The cluster's CustomResourceDefinition does not know fields of the spec; nothing was written."""


@dataclass(frozen=True, slots=True)
class CheckedWrite:
    """A write of an object that the API server accepts.

    Parameters:
        live: the object as it was read.
        wanted: apiVersion, kind, metadata with name and namespace, and spec.
        changes: whether anything is to be written.
        force: fields of others are taken over.
        replaces: fields that others alone own are to go, so that the object is replaced.
        exact: write only over the version that was read.
    """

    live: GroupObject
    wanted: Manifest = field(repr=False)
    changes: bool = True
    force: bool = False
    replaces: bool = False
    exact: bool = False

    @property
    def difference(self) -> ResourceDiff:
        """What becomes of the spec and the labels; labels of others stay."""
        before, after = _part(self.live.manifest), _part(self.wanted)
        after["metadata"]["labels"] = {**before["metadata"]["labels"], **after["metadata"]["labels"]}
        return ResourceDiff(self.live.key, before, after)

    def carry_out(self, client: Client) -> GroupObject:
        """Write it; the object as it is then.

        Raises:
            OwnedError: somebody else wrote it in between; MeanwhileError where that is all.
        """
        if not self.changes:
            return self.live
        try:
            written = self._replace(client) if self.replaces else self._apply(client)
        except Conflict as error:
            if self.replaces or (self.exact and not error.causes):
                raise MeanwhileError(f"nothing was written: somebody else has just changed {self.live.key}") from None
            raise _owned(self.live, _conflicts(self.live, error)) from None
        return GroupObject({"kind": lanegroups.KIND, **written.manifest})

    def _apply(self, client: Client) -> GroupObject:
        metadata = {**self.wanted["metadata"], **({"resourceVersion": self.live.version} if self.exact else {})}
        return lanegroups.apply(client, {**self.wanted, "metadata": metadata}, force=self.force)

    def _replace(self, client: Client) -> GroupObject:
        """In one write, so that no controller sees a spec that nobody wanted. Fields that stay keep their owners."""
        metadata = {name: part for name, part in self.live.manifest["metadata"].items() if name != "managedFields"}
        body = {**self.live.manifest, **self.wanted, "metadata": {**metadata, **_labels(self.live, self.wanted)}}
        where, query = path(self.live.key), {"fieldManager": MANAGER}
        return GroupObject(client.request("PUT", where, json.dumps(body), query=query))


def document_of(spec: LaneGroup) -> Manifest:
    """The object of a spec, as a person would write it."""
    value: Manifest = json.loads(document(spec))
    metadata = {"name": spec.metadata.name, "namespace": spec.metadata.namespace}
    return {**value, "apiVersion": API_VERSION, "metadata": metadata}


def check(client: Client, live: GroupObject, wanted: Manifest, *, adopt: bool = False) -> CheckedWrite:
    """Find out whether an object may be written, and how. Makes no call if it is as wanted, else one or two.

    Parameters:
        wanted: the object as it is to be.
        adopt: take over what others own.

    Raises:
        OwnedError: others own fields that would change.
        OldKindError: the API server would drop fields.
        ApiError: the API server refuses the spec, or the caller may not write the object.
    """
    if _same(live.manifest, wanted):
        return CheckedWrite(live, wanted, changes=False)
    if not adopt and git_owner(live):
        raise _owned(live, [f"it would change {_named(CheckedWrite(live, wanted).difference.fields())}"])
    force = adopt
    try:
        tried = lanegroups.apply(client, wanted, force=force, dry_run=True)
    except Conflict as error:
        if any(f'"{MANAGER}"' not in said for _, said in error.causes) or not error.causes:
            raise _owned(live, _conflicts(live, error)) from None
        force = True  # what an earlier `--adopt` replaced is graylane's own, by another operation
        tried = lanegroups.apply(client, wanted, force=force, dry_run=True)
    left = list(_left(tried.manifest, wanted))
    if dropped := [one for one in left if one.live is None]:
        raise OldKindError(
            f"nothing was written: the cluster's LaneGroup does not know {_named(dropped)}: its "
            f"CustomResourceDefinition is of an earlier graylane; {custom.INSTALL}"
        )
    if left and not adopt and other_managers(live.manifest):
        names = " and ".join(dict.fromkeys(one.manager for one in other_managers(live.manifest)))
        raise _owned(live, [f"{_named(left)} would stay, because {names} owns it"])
    return CheckedWrite(live, wanted, force=force, replaces=bool(left))


def deletion(live: GroupObject) -> ResourceDiff:
    return ResourceDiff(live.key, _part(live.manifest), None)


def git_owner(one: CustomObject) -> OtherManager | None:
    """The tool by which Git owns fields of an object's spec."""
    return next((each for each in other_managers(one.manifest) if each.manager in GIT), None)


def check_git(one: CustomObject) -> None:
    """
    Raises:
        OwnedError: Git owns the object, so that its deletion is a commit.
    """
    if owner := git_owner(one):
        raise OwnedError(
            f"nothing was deleted: {one.key} is in Git ({owner.manager}, {GIT[owner.manager]}), which would make it "
            "anew: remove it there; the controller then takes the routes away in order"
        )


def _owned(live: GroupObject, lines: list[str]) -> OwnedError:
    owner = git_owner(live)
    if owner is None:
        hint = "graylane apply -f FILE --adopt takes the fields over"
        return OwnedError("\n".join([f"nothing was written: fields of {live.key} belong to others; {hint}:", *lines]))
    tool = GIT[owner.manager]
    head = f"nothing was written: {live.key} is in Git ({owner.manager}, {tool}): commit the change there instead"
    hint = f"graylane apply -f FILE --adopt writes it all the same, until {tool} takes it back"
    return OwnedError("\n".join([head, *lines, hint]))


def _conflicts(live: GroupObject, error: Conflict) -> list[str]:
    return [conflict_line(live.manifest, *cause) for cause in error.causes] or [str(error)]


def _left(live: Manifest, wanted: Manifest) -> Iterator[Field]:
    """The fields of the spec that are not as wanted after a server-side apply: those of others, and unknown ones."""
    if not same_spec(live, wanted):
        specs = ({"metadata": {"labels": {}}, "spec": _spec(one)} for one in (live, wanted))
        yield from ResourceDiff(GroupObject(wanted).key, *specs).fields()


def _named(fields: list[Field]) -> str:
    names = [one.path for one in fields]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more fields" if len(names) > SHOWN else "")


def same_spec(live: Manifest, wanted: Manifest) -> bool:
    """Whether two objects of a name have the same spec, in whatever order and with what an API server fills in."""
    return digest(_content(live)) == digest(_content(wanted))


def _same(live: Manifest, wanted: Manifest) -> bool:
    """Whether the spec is as wanted, and so are the labels and annotations that are wanted."""
    return same_spec(live, wanted) and all(
        (live["metadata"].get(name) or {}).items() >= (wanted["metadata"].get(name) or {}).items()
        for name in ("labels", "annotations")
    )


def _content(one: Manifest) -> bytes:
    metadata = {name: one["metadata"][name] for name in ("name", "namespace")}
    return json.dumps({"metadata": metadata, "spec": one.get("spec")}).encode()


def _labels(live: GroupObject, wanted: Manifest) -> dict[str, dict[str, str]]:
    metadata = live.manifest["metadata"]
    return {
        name: {**(metadata.get(name) or {}), **given}
        for name in ("labels", "annotations")
        if (given := wanted["metadata"].get(name))
    }


def _part(one: Manifest) -> Manifest:
    """What a person writes of an object."""
    metadata = one["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": lanegroups.KIND,
        "metadata": {
            **{name: metadata[name] for name in ("name", "namespace")},
            "labels": metadata.get("labels") or {},
        },
        "spec": _spec(one),
    }


def _spec(one: Manifest) -> dict[str, object]:
    """Without what the API server fills in."""
    return {name: part for name, part in (one.get("spec") or {}).items() if (name, part) != ("drift", DRIFT)}
