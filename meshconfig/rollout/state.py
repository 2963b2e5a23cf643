"""What is kept of a rollout: enough that any runner can take it up. Frozen, and JSON and back without loss."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError, field_serializer

from meshconfig.errors import GraylaneError, dotted
from meshconfig.rollout.analysis import Frozen, Tally
from meshconfig.rollout.pods import PodCounts
from meshconfig.spec.rollout import Rollout, RolloutStep

KEPT = 200  # entries of the log: an object of the cluster holds about a megabyte


class UnreadableStateError(GraylaneError):
    """A stored state that this graylane cannot take up: written by another one, or changed by hand."""


class Phase(StrEnum):
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    DEGRADED = "Degraded"  # goes forward no more: held after a failure, or on its way back
    SUCCEEDED = "Succeeded"
    ABORTED = "Aborted"
    ROLLED_BACK = "RolledBack"

    @property
    def final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.ABORTED, Phase.ROLLED_BACK)


class Stage(StrEnum):
    """Where exactly a rollout is; each belongs to one phase."""

    PENDING = "pending"
    SCALE = "scaling up the new version"
    ROUTE = "moving requests"
    SHRINK = "scaling down the old version"
    ANALYSE = "measuring"
    TAKE_OVER = "taking over"
    KEEP = "keeping the old version"
    WAIT = "waiting"
    APPROVAL = "awaiting approval"
    HELD = "paused by hand"
    NO_DATA = "no data to judge by"
    BAD_METRICS = "held: the metrics failed"
    BAD_CHANGE = "held: a change failed"
    ROUTES_BACK = "moving requests back"
    PODS_BACK = "scaling back"
    RETIRE = "retiring the old version"
    SUCCEEDED = "succeeded"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled back"


PHASE = {
    Stage.PENDING: Phase.PENDING,
    **dict.fromkeys((Stage.SCALE, Stage.ROUTE, Stage.SHRINK, Stage.ANALYSE), Phase.PROGRESSING),
    **dict.fromkeys((Stage.TAKE_OVER, Stage.KEEP, Stage.RETIRE), Phase.PROGRESSING),
    **dict.fromkeys((Stage.WAIT, Stage.APPROVAL, Stage.HELD, Stage.NO_DATA), Phase.PAUSED),
    **dict.fromkeys((Stage.BAD_METRICS, Stage.BAD_CHANGE, Stage.ROUTES_BACK, Stage.PODS_BACK), Phase.DEGRADED),
    Stage.SUCCEEDED: Phase.SUCCEEDED,
    Stage.ABORTED: Phase.ABORTED,
    Stage.ROLLED_BACK: Phase.ROLLED_BACK,
}


class LogEntry(Frozen):
    """One line of the log: who did what, when, why, and where the rollout stood after it."""

    number: int
    at: datetime
    who: str
    action: str
    why: str = ""
    phase: Phase
    stage: Stage
    step: int
    weight: int


class State(Frozen):
    """A rollout.

    Parameters:
        generation: counts the rollouts of this name.
        turn: counts the stages entered; a report on an earlier turn comes too late.
        step: of `rollout.spec.steps`, from 0; their number, once all are done. `rung`: of an `auto` step.
        weight: what the routes shall give; `applied`: what they were last known to give, in percent.
        taken: the new versions shall be the baseline's; `applied_taken`: they were last known to be.
        sizes: Pods when it began; `pods`: Pods that it wants now.
        begun: when somebody started it; of two rollouts of a group the older goes first.
        since: when the present stage began; `clock`: when the pause, analysis or keeping that it is in did.
        returns: the stage that a pause or a failure came from; `outcome`: how a way back is to end.
        told: the last entry of the log that Events and webhooks tell of.
    """

    rollout: Rollout
    generation: int = 1
    turn: int = 0
    stage: Stage = Stage.PENDING
    step: int = 0
    rung: int = 0
    weight: int = 0
    applied: int = 0
    taken: bool = False
    applied_taken: bool = False
    sizes: PodCounts = Field(default_factory=dict)
    pods: PodCounts = Field(default_factory=dict)
    begun: datetime
    since: datetime
    clock: datetime
    returns: Stage | None = None
    outcome: Stage | None = None
    why: str = ""
    tallies: Mapping[str, Tally] = Field(default_factory=dict)
    log: tuple[LogEntry, ...] = ()
    told: int = 0

    @property
    def phase(self) -> Phase:
        return PHASE[self.stage]

    @property
    def name(self) -> str:
        return self.rollout.metadata.name

    @property
    def current(self) -> RolloutStep | None:
        """The step that it is in, if it has begun and has not done all."""
        steps = self.rollout.spec.steps
        return steps[self.step] if self.step < len(steps) else None

    @field_serializer("rollout")
    def _as_written(self, rollout: Rollout) -> dict[str, Any]:
        return rollout.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def to_json(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str) -> "State":
        """
        Raises:
            UnreadableStateError: it is not what `to_json` wrote.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = f"{dotted(first['loc'])}: " if first["loc"] else ""
            raise UnreadableStateError(f"stored state of a rollout: {where}{first['msg']}") from None


def pending(rollout: Rollout, *, who: str, now: datetime, generation: int = 1, note: str = "") -> State:
    """A rollout as it is stored when somebody starts it; a runner takes it up by `Start`."""
    first = LogEntry(
        number=1,
        at=now,
        who=who,
        action="start",
        why=note,
        phase=Phase.PENDING,
        stage=Stage.PENDING,
        step=0,
        weight=0,
    )
    return State(rollout=rollout, generation=generation, begun=now, since=now, clock=now, log=(first,))
