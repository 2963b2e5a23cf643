"""A group's status as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from meshconfig.cluster.diff import ResourceDiff
from meshconfig.cluster.fields import OtherManager
from meshconfig.cluster.revision import Revision, RevisionStatus
from meshconfig.cluster.status.snapshot import Followed
from meshconfig.draws import Draw


@dataclass(frozen=True, slots=True)
class PodCount:
    """The Pods of a version. `wanted` is from its Deployment; without a readable Deployment, the number of Pods."""

    ready: int
    wanted: int


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version of a service.

    Parameters:
        pods: None for a host outside the cluster, and if Pods may not be read.
        coming: it is of a preview lane that is not ready yet, so that no route leads to it.
    """

    name: str
    workload: str
    pods: PodCount | None
    coming: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it has fewer ready Pods than it is to have, and ought to have them."""
        return self.pods is not None and not self.coming and self.pods.ready < self.pods.wanted


class How(StrEnum):
    """How a lane's requests find their version of a service."""

    OWN = "own"  # a route of its own
    RUNTIME = "runtime"  # its own version while that is healthy, else the baseline's (locality failover)
    FALLBACK = "fallback"  # no version here: routed like untagged requests
    REFUSED = "refused"  # a strict lane without a version here: 503
    NONE = "none"  # no VirtualService: any Pod of the Service answers


@dataclass(frozen=True, slots=True)
class Share:
    """A version and its percentage, 0 to 100."""

    version: str
    percent: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The versions that a lane's requests get of one service. `name` is None for untagged requests."""

    name: str | None
    how: How
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service of a group. `copies`: the versions that get copies of untagged requests, with the share copied."""

    name: str
    host: str
    versions: tuple[VersionState, ...]
    lanes: tuple[Lane, ...]
    copies: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """Who consumes a topic. `lanes`: the version of each lane, and whether it is the lane's own."""

    name: str
    kind: str
    topic: str
    versions: tuple[VersionState, ...]
    lanes: tuple[tuple[str, str, bool], ...]
    names: tuple[tuple[str, str], ...]  # the group or queue of each version


@dataclass(frozen=True, slots=True)
class EntryState:
    """An entry: the share of untagged requests for each lane, and a browser's ways into lanes.

    Parameters:
        split: empty where untagged requests are not split.
        doors: for `cookie`, `link` and `host`, the lanes that this way leads to now; without those that the entry does
            not have.
        sticky: whose each bucket is at the entry's first path that keeps users; None where none does.
    """

    hosts: tuple[str, ...]
    split: tuple[tuple[str, float], ...]
    doors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sticky: Draw | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """A resource that differs from the last apply, and the managers that wrote the differing fields, latest first."""

    difference: ResourceDiff
    by: tuple[OtherManager, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The holder of the group's Lease. `expired`: it was not renewed in time, and nobody has taken it over."""

    name: str
    since: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a group. `problems` has one line of text each; without any, the group is healthy."""

    revision: Revision
    outcome: RevisionStatus
    services: tuple[ServiceState, ...]
    entries: tuple[EntryState, ...]
    drift: tuple[Drift, ...]
    followed: Followed
    lock: Held | None
    problems: tuple[str, ...]
    consumers: tuple[ConsumerState, ...] = ()

    @property
    def healthy(self) -> bool:
        return not self.problems
