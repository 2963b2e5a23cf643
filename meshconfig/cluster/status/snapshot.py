"""What was read of a group for its status, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshconfig.cluster.lease import Record, Standing
from meshconfig.cluster.objects import Manifest, State, UnreadableError
from meshconfig.cluster.owned import Live
from meshconfig.cluster.revision import Revision
from meshconfig.model import Model
from meshconfig.spec import LaneGroup


@dataclass(frozen=True, slots=True)
class Followed:
    """The number of connected proxies, and of those that have acknowledged everything that istiod sent to them.

    Both are None if no istiod could be read; `reason` says why.
    """

    acknowledged: int | None
    proxies: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """One group in the cluster.

    `revision` is the newest one that can be read; `spec`, `model` and `wanted` come from it. `unreadable` has an error
    for each one that cannot. `record` is the group's Lease.
    `deployments`, `pods` and `services` are by namespace, without what the account may not read or nobody needed.
    """

    revision: Revision
    spec: LaneGroup
    model: Model
    wanted: State
    live: Live
    record: Record | None
    standing: Standing
    followed: Followed
    deployments: Mapping[str, Sequence[Manifest]]
    pods: Mapping[str, Sequence[Manifest]]
    services: Mapping[str, Sequence[Manifest]]
    unreadable: Sequence[UnreadableError] = ()

    @property
    def holder(self) -> str:
        """The process that changes the group now; empty if none does."""
        return self.record.holder if self.record and self.standing in (Standing.HELD, Standing.MINE) else ""
