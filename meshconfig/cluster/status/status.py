"""A group's status as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from meshconfig.cluster.diff import ResourceDiff
from meshconfig.cluster.fields import OtherManager
from meshconfig.cluster.revision import Revision, RevisionStatus
from meshconfig.cluster.status.snapshot import Followed


@dataclass(frozen=True, slots=True)
class PodCount:
    """`wanted` by the Deployment; where there is none, or it may not be read, as many as there are."""

    ready: int
    wanted: int


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version of a service; `pods` is None for a host outside the cluster, or where Pods may not be read."""

    name: str
    workload: str
    pods: PodCount | None


class How(StrEnum):
    """How a lane's requests find their version of a service."""

    OWN = "own"  # a route of its own
    RUNTIME = "runtime"  # its own version while that is healthy, else the baseline's
    FALLBACK = "fallback"  # no version here: as the untagged
    REFUSED = "refused"  # a strict lane without a version here: 503
    NONE = "none"  # no VirtualService: any Pod of the Service answers


@dataclass(frozen=True, slots=True)
class Share:
    """A version and its percentage, 0 to 100."""

    version: str
    percent: float


@dataclass(frozen=True, slots=True)
class Lane:
    """Who gets which version of one service; `name` is None for the untagged."""

    name: str | None
    how: How
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class ServiceState:
    name: str
    host: str
    versions: tuple[VersionState, ...]
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class EntryState:
    """An entry that splits who sends no tag: a share per lane."""

    hosts: tuple[str, ...]
    split: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """A resource that is not as it was applied, and who else has written the fields that differ, the newest first."""

    difference: ResourceDiff
    by: tuple[OtherManager, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Who has the group's Lease; `expired`: it was not renewed, and nobody has taken it over."""

    name: str
    since: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Status:
    """`problems` are for people, one line each; none of them: the group is healthy."""

    revision: Revision
    outcome: RevisionStatus
    services: tuple[ServiceState, ...]
    entries: tuple[EntryState, ...]
    drift: tuple[Drift, ...]
    followed: Followed
    lock: Held | None
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        return not self.problems
