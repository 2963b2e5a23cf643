"""What a source gives to pages, whatever is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from meshconfig.cluster.status import EntryState, ServiceState
from meshconfig.console.acts import Wish
from meshconfig.console.jobs import Begun
from meshconfig.console.proposal import Proposal
from meshconfig.console.refs import GroupRef
from meshconfig.groups import Group


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed a group last, and how it ended.

    Parameters:
        outcome: `succeeded`, `running`, `failed` or `interrupted`.
    """

    number: int
    action: str
    who: str
    when: datetime
    outcome: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """A revision of a group, and the resources that it changed."""

    change: Change
    resources: Sequence[str]
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Past:
    """The history of a group, newest first; `unreadable` says what is wrong with revisions that cannot be read."""

    revisions: Sequence[RevisionLine]
    unreadable: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A resource that differs from the last apply; `by` names who changed it, latest first."""

    resource: str
    fields: tuple[str, ...]
    by: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a group does to requests now.

    Parameters:
        lanes: the baseline first.
        owner: the tool of GitOps that owns the group's object; empty where none does.
        problems: a line each; none for a group that is well.
        taken: when it was read.
    """

    ref: GroupRef
    lanes: tuple[str, ...]
    baseline: str
    services: Sequence[ServiceState]
    entries: Sequence[EntryState]
    last: Change | None
    drift: Sequence[DriftLine]
    problems: Sequence[str]
    taken: datetime
    owner: str = ""
    has_object: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """What a group's spec says, and how to know it again.

    Parameters:
        group: spec, model and documents.
        text: the spec as YAML.
        where: what the text is of, such as `revision 7` or a file.
        mark: changes whenever somebody changes the group.
    """

    group: Group = field(repr=False)
    text: str
    where: str
    mark: str
    owner: str = ""


class Source(Protocol):
    """A cluster as one person may see it, or the mesh on this machine. Its methods block, so that threads call them."""

    @property
    def place(self) -> str:
        """What it is, for the page's head: a server's URL, or `local mesh`."""

    @property
    def person(self) -> str:
        """The person's name, as the API server says it; empty on this machine."""

    def groups(self, namespace: str) -> Sequence[GroupRef]:
        """The groups that the person may see.

        Parameters:
            namespace: empty for every namespace.

        Raises:
            ClusterError: the person may not list them there, or the cluster cannot be read.
        """

    def look(self, ref: GroupRef, wait: float) -> GroupView | None:
        """What the group does to requests now.

        Parameters:
            wait: seconds to wait for a new reading at most.

        Returns:
            An older reading where a new one takes longer; None where there is none yet.

        Raises:
            GraylaneError: there is no such group, or it cannot be read.
        """

    def changed(self, ref: GroupRef) -> None:
        """The group has just been changed, so that what was read before is old."""

    def stated(self, ref: GroupRef) -> Stated:
        """What the group's spec says.

        Raises:
            GraylaneError: there is no such group, or it cannot be read.
        """

    def past(self, ref: GroupRef) -> Past:
        """The group's revisions.

        Raises:
            GraylaneError: it has none, or they cannot be read.
        """

    def text_at(self, ref: GroupRef, number: int) -> str:
        """The spec of a revision, as YAML.

        Raises:
            MissingError: there is no such revision.
        """

    def propose(self, ref: GroupRef, wish: Wish) -> Proposal:
        """A change before it is made. Nothing is written.

        Raises:
            GraylaneError: it is not possible.
        """

    def begin(self, ref: GroupRef, wish: Wish, mark: str, note: str) -> Begun:
        """A change that a person has seen as a proposal.

        Parameters:
            mark: the proposal's.
            note: what the history shows beside the action; may be empty.

        Raises:
            ChangedError: somebody else has changed the group since.
            GraylaneError: it is not possible.
        """
