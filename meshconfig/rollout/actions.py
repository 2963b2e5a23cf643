"""What a state asks a runner to do, as values that hold all that it takes to do it.

Each action can be repeated: the runner that goes on after a crash gets the same ones, and what is done already stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from meshconfig.rollout.pods import PodCounts


class ChangeKind(StrEnum):
    """Why the LaneGroup is changed. It also decides which form of the group is wanted: `steps.wanted`."""

    AUTOSCALERS = "autoscalers"
    WEIGHT = "weight"
    TAKE_OVER = "take over"
    BACK = "back"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """The LaneGroup that is wanted, as a change of the group as it was before the rollout.

    Parameters:
        weight: percent of untagged requests that go to the new versions; 0 sends them all to the old ones.
        pods: service → version → Pods, where they differ from what there was. The bounds of an autoscaler follow them.
    """

    kind: ChangeKind
    weight: int = 0
    pods: PodCounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakeUp:
    """Begin, once no other rollout of the group goes first. Reported by `Start`, or by `ApplyFailed`."""


@dataclass(frozen=True, slots=True)
class VersionScale:
    """The Pods that one version is to have.

    Parameters:
        at_least: somebody may have given the version more Pods than this; it keeps them.
        optional: a Deployment that is missing is no failure.
    """

    service: str
    version: str
    replicas: int
    at_least: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """All of these Pods are there and ready. Reported by `PodsReady`, `PodsFailed` or `ApplyFailed`.

    Parameters:
        versions: in the order in which they are scaled.
        change: to be applied first where a version has an autoscaler, in place of its number of Pods.
    """

    versions: tuple[VersionScale, ...]
    change: GroupChange


@dataclass(frozen=True, slots=True)
class Route:
    """The group is changed, and every proxy has acknowledged it. Reported by `Routed` or `ApplyFailed`."""

    change: GroupChange


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before this time. Reported by `Elapsed`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """One measurement that is due at `at`; `service` is empty for a query that names none."""

    metric: str
    service: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Analyse:
    """The next measurement of each metric that is still open. Reported by `Measured`, once some are due.

    Parameters:
        until: when the analysis ends, if nothing fails before.
    """

    asks: tuple[Ask, ...]
    until: datetime

    @property
    def at(self) -> datetime:
        """When the first of them is due."""
        return min(ask.at for ask in self.asks)


@dataclass(frozen=True, slots=True)
class WatchPods:
    """Keep an eye on versions that have Pods. Reported by `PodsFailed`, where one has had no ready Pod for a while.

    Parameters:
        versions: service → version.
    """

    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Retire:
    """Versions that no request needs are deleted: subset, autoscaler, Deployment. Reported by `OldRetired`.

    Parameters:
        versions: service → version.
        change: takes the subsets and the autoscalers away; to be applied before any Deployment is deleted.
    """

    versions: Mapping[str, str]
    change: GroupChange


@dataclass(frozen=True, slots=True)
class Notify:
    """Publish the log's entry `number` as a Kubernetes Event and to the webhooks. Reported by `Published`."""

    number: int


Action = TakeUp | Scale | Route | Wait | Analyse | WatchPods | Retire | Notify


def revision_action(rollout: str, change: GroupChange) -> str:
    """What the group's history says of a change: `rollout cat-v2: weight 10`."""
    what = f"{change.kind} {change.weight}" if change.kind is ChangeKind.WEIGHT else change.kind.value
    return f"{_by(rollout)}{what}"


def changed_by(action: str, rollout: str) -> bool:
    """Whether a revision's action is one that `revision_action` made for this rollout."""
    return action.startswith(_by(rollout))


def _by(rollout: str) -> str:
    return f"rollout {rollout}: "
