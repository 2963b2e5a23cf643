"""What happens to a rollout: a person decides (`who`, and why), or a runner reports on an action.

A report names the `turn` of the state whose action it is about. A report on an earlier turn changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from meshconfig.rollout.analysis import Reading
from meshconfig.rollout.log import LogKind

Sizes = Mapping[str, Mapping[str, int]]  # service → version → Pods


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision.

    Parameters:
        note: the person's reason.
    """

    kind: ClassVar[LogKind]  # of its entry in the log

    who: str
    note: str = ""


class Approve(Decision):
    __slots__ = ()
    kind = LogKind.APPROVE


class Pause(Decision):
    __slots__ = ()
    kind = LogKind.PAUSE


class Resume(Decision):
    __slots__ = ()
    kind = LogKind.RESUME


class Abort(Decision):
    __slots__ = ()
    kind = LogKind.ABORT


class Rollback(Decision):
    __slots__ = ()
    kind = LogKind.ROLLBACK


@dataclass(frozen=True, slots=True)
class Supersede(Decision):
    """Another rollout of the same services starts once this one has gone back."""

    kind = LogKind.SUPERSEDE

    by: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    turn: int


@dataclass(frozen=True, slots=True)
class Start(Report):
    """A runner has taken up the rollout.

    Parameters:
        sizes: how many Pods each version has now.
        lanegroup: its group is a LaneGroup object.
    """

    sizes: Sizes = field(default_factory=dict)
    lanegroup: bool = False


class PodsReady(Report):
    """Every version has the Pods that were asked for, and they are ready."""

    __slots__ = ()


class Routed(Report):
    """Every proxy has acknowledged the routes that were asked for."""

    __slots__ = ()


class Elapsed(Report):
    """The time of a `Wait` has come."""

    __slots__ = ()


class OldRetired(Report):
    """The old versions are deleted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Failed(Report):
    kind: ClassVar[LogKind]  # of its entry in the log

    why: str = ""


class PodsFailed(Failed):
    """Pods of one service or more did not become ready in time, or were lost."""

    __slots__ = ()
    kind = LogKind.PODS_FAILED


class ApplyFailed(Failed):
    """A change could not be made, after several tries."""

    __slots__ = ()
    kind = LogKind.APPLY_FAILED


@dataclass(frozen=True, slots=True)
class Measured(Report):
    """Answers to measurements that were due."""

    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """The log's entries up to this number are published: as Kubernetes Events, and to the webhooks."""

    number: int


Event = Decision | Report | Published


def word(event: type[Event]) -> str:
    """The name of an event for people: `PodsReady` is `pods ready`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.__name__).strip()
