"""The status of a group: which versions serve which requests, Pods, and drift. `Looker` reads, `judge` evaluates."""

from meshconfig.cluster.status.group import GroupLooker, GroupStatus
from meshconfig.cluster.status.judge import judge
from meshconfig.cluster.status.look import Looker
from meshconfig.cluster.status.object import ObjectState, StatedCondition, object_state
from meshconfig.cluster.status.previews import PreviewState
from meshconfig.cluster.status.report import as_json, barrier
from meshconfig.cluster.status.snapshot import Followed, GroupSnapshot
from meshconfig.cluster.status.status import (
    ConsumerState,
    Drift,
    EntryState,
    Held,
    How,
    Lane,
    PodCount,
    ServiceState,
    Share,
    Status,
    VersionState,
)

__all__ = [
    "ConsumerState",
    "Drift",
    "EntryState",
    "Followed",
    "GroupLooker",
    "GroupSnapshot",
    "GroupStatus",
    "Held",
    "How",
    "Lane",
    "Looker",
    "ObjectState",
    "PodCount",
    "PreviewState",
    "ServiceState",
    "Share",
    "StatedCondition",
    "Status",
    "VersionState",
    "as_json",
    "barrier",
    "judge",
    "object_state",
]
