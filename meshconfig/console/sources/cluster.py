"""A cluster, read and written with one person's own credentials."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from meshconfig.cluster import history, lanegroups, lock
from meshconfig.cluster.change import Choices
from meshconfig.cluster.client import Client
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.object_write import document_of, git_owner
from meshconfig.cluster.revision import Revision, RevisionStatus
from meshconfig.cluster.status import Drift, GroupLooker, GroupStatus
from meshconfig.console.acts import Wish
from meshconfig.console.faults import MissingError
from meshconfig.console.jobs import Begun
from meshconfig.console.proposal import Proposal, object_mark, revision_mark
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources import changes
from meshconfig.console.sources.snapshots import Snapshots
from meshconfig.console.sources.source import Change, DriftLine, GroupView, Past, RevisionLine, Source, Stated
from meshconfig.edit.files import Texts
from meshconfig.errors import ClusterError
from meshconfig.render import to_yaml
from meshconfig.spec import API_VERSION

FIELDS = 5  # of a resource that differs, in a line


class ClusterSource:
    """A cluster as one person may see it.

    Parameters:
        client: has the person's credentials.
        choices: how changes are carried out, and where istiod's debug pages are.
    """

    def __init__(self, client: Client, choices: Choices | None = None) -> None:
        self.client, self.choices = client, choices or Choices()
        self._lookers: dict[GroupRef, GroupLooker] = {}
        self._views = Snapshots[GroupView]()
        self._lock, self._person = threading.Lock(), ""

    @property
    def place(self) -> str:
        return self.client.server

    @property
    def person(self) -> str:
        if not self._person:  # an API server that has not told it yet is asked again
            self._person = history.user(self.client)
        return self._person

    def groups(self, namespace: str) -> Sequence[GroupRef]:
        """Those with an object, and in one namespace also those that a command has applied."""
        found = {
            GroupRef(one["metadata"]["namespace"], one["metadata"]["name"])
            for one in self.client.list_resources(lanegroups.KIND, namespace)
        }
        if namespace:
            found |= {GroupRef(namespace, one) for one in history.groups(self.client, namespace)}
        return sorted(found)

    def look(self, ref: GroupRef, wait: float) -> GroupView | None:
        return self._views.get(ref, lambda: self._read(ref), wait)

    def changed(self, ref: GroupRef) -> None:
        self._views.forget(ref)

    def _read(self, ref: GroupRef) -> GroupView:
        one = lanegroups.find(self.client, ref.namespace, ref.name)
        past = history.read(self.client, ref.namespace, ref.name)
        if one is None and past.last is None and not past.unreadable:
            raise MissingError(f"there is no group {ref}")
        return _view(ref, self._looker(ref).look(one, past), one)

    def stated(self, ref: GroupRef) -> Stated:
        if one := lanegroups.find(self.client, ref.namespace, ref.name):
            owner = git_owner(one)
            where = f"LaneGroup {ref}"
            return _stated(document_of(one.spec()), where, object_mark(one), owner.manager if owner else "")
        past = history.read(self.client, ref.namespace, ref.name)
        if past.damaged:
            raise past.damaged
        if past.last is None:
            raise MissingError(f"there is no group {ref}")
        last = past.last
        return _stated(document_of(last.spec), f"revision {last.number} of {ref}", revision_mark(last))

    def past(self, ref: GroupRef) -> Past:
        found = self._past(ref)
        holder = lock.holder(lock.read(self.client, ref.namespace, ref.name))
        lines = [
            RevisionLine(change_of(one, one.seen(holder).value), one.changed, one.outcome is RevisionStatus.SUCCEEDED)
            for one in reversed(found.revisions)
        ]
        return Past(lines, [str(one) for one in found.unreadable])

    def text_at(self, ref: GroupRef, number: int) -> str:
        found = self._past(ref)
        for one in found.revisions:
            if one.number == number:
                return to_yaml([{**json.loads(one.document), "apiVersion": API_VERSION}])
        raise found.unreadable_number(number) or MissingError(f"group {ref} has no revision {number}")

    def propose(self, ref: GroupRef, wish: Wish) -> Proposal:
        return changes.proposal(self.client, self.stated(ref), ref, wish)

    def begin(self, ref: GroupRef, wish: Wish, mark: str, note: str) -> Begun:
        return changes.begin(self.client, self.stated(ref), ref, wish, mark, note, self.choices)

    def _past(self, ref: GroupRef) -> history.Past:
        """
        Raises:
            MissingError: the group has no revision.
        """
        found = history.read(self.client, ref.namespace, ref.name)
        if not found.revisions and not found.unreadable:
            raise MissingError(f"group {ref} has no revision")
        return found

    def _looker(self, ref: GroupRef) -> GroupLooker:
        """One for each group: it compiles a spec once."""
        with self._lock:
            if ref not in self._lookers:
                self._lookers[ref] = GroupLooker(self.client, ref.namespace, ref.name, istiod=self.choices.istiod)
            return self._lookers[ref]


def _stated(document: dict[str, object], where: str, mark: str, owner: str = "") -> Stated:
    text = to_yaml([document])
    (group,) = Texts({where: text}).groups
    return Stated(group, text, where, mark, owner)


def _view(ref: GroupRef, status: GroupStatus, one: GroupObject | None) -> GroupView:
    """
    Raises:
        ClusterError: the mesh cannot be read.
    """
    mesh = status.mesh
    if mesh is None:
        raise ClusterError(f"{ref}: {status.unread}")
    spec = mesh.revision.spec.spec
    baseline = spec.tag.default
    owner = git_owner(one) if one else None
    return GroupView(
        ref=ref,
        lanes=(baseline, *(lane for lane in spec.lanes if lane != baseline)),
        baseline=baseline,
        services=mesh.services,
        entries=mesh.entries,
        last=change_of(mesh.revision, mesh.outcome.value),
        drift=tuple(map(_drift, mesh.drift)),
        problems=tuple(one for one in status.problems if not one.startswith("drift: ")),
        taken=datetime.now(UTC),
        owner=owner.manager if owner else "",
        has_object=one is not None,
    )


def change_of(one: Revision, outcome: str) -> Change:
    """A revision as pages show it."""
    who = f"{one.who} ({one.host})" if one.who else one.host
    return Change(one.number, one.action, who, one.started, outcome, one.message)


def _drift(one: Drift) -> DriftLine:
    difference = one.difference
    paths = tuple(field.path for field in difference.fields()) if difference.live and difference.wanted else ()
    return DriftLine(str(difference), paths[:FIELDS], tuple((each.manager, each.time) for each in one.by))


def client_of(source: Source) -> Client:
    """The person's client of the cluster.

    Raises:
        MissingError: the source is the mesh on this machine.
    """
    if not isinstance(source, ClusterSource):
        raise MissingError("the mesh on this machine has no such page")
    return source.client
