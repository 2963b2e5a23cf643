"""What was read for a status, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshconfig.cluster.lease import Record, Standing
from meshconfig.cluster.objects import Manifest, State
from meshconfig.cluster.owned import Live
from meshconfig.cluster.revision import Revision
from meshconfig.model import Model
from meshconfig.spec import LaneGroup


@dataclass(frozen=True, slots=True)
class Followed:
    """How many proxies have acknowledged all that istiod sent them; None where no istiod could be read.

    `reason` says why one could not be read.
    """

    acknowledged: int | None
    proxies: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """One group in the cluster.

    `revision` is the newest; `spec`, `model` and `wanted` are what it says; `record` is the group's Lease.
    `deployments`, `pods` and `services` are by namespace; what may not be read, or was not needed, is not in them.
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

    @property
    def holder(self) -> str:
        """Who works on the group now; empty for nobody."""
        return self.record.holder if self.record and self.standing in (Standing.HELD, Standing.MINE) else ""
