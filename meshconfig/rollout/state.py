"""The stored state of a rollout. It is all that a controller needs to go on. Frozen; to JSON and back without loss."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, ValidationError, field_serializer, model_validator

from meshconfig.bounded import clip
from meshconfig.errors import GraylaneError, dotted
from meshconfig.rollout.analysis import Frozen, Tally
from meshconfig.rollout.automatic import rungs
from meshconfig.rollout.log import LogAction, LogKind, StoredLogAction
from meshconfig.rollout.pods import PodCounts
from meshconfig.spec.rollout import MOST_PODS, Percent, Rollout, RolloutStep

KEPT = 200  # entries of the log: the state is a part of one object, which holds about a megabyte
LONGEST_WHY, LONGEST_WHO = 1000, 200  # bytes
MOST_ENTRIES = 500  # of a log; a rollout of twenty steps writes a hundred
LONG = 64 << 10  # characters of a state as JSON; a shorter one has no long log
Count = Annotated[int, Field(ge=0, le=2**53)]  # what JSON's numbers hold exactly


class UnreadableStateError(GraylaneError):
    """This version of graylane cannot read the stored state: another version wrote it, or somebody edited it."""


class Phase(StrEnum):
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    DEGRADED = "Degraded"  # held after a failure, or on its way back
    SUCCEEDED = "Succeeded"
    ABORTED = "Aborted"
    ROLLED_BACK = "RolledBack"

    @property
    def final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.ABORTED, Phase.ROLLED_BACK)


class Stage(StrEnum):
    """Where exactly a rollout is; each belongs to one phase. What each allows and asks for: `machine.STAGES`."""

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

    @property
    def going_back(self) -> bool:
        """Requests or Pods are on their way back to the old versions."""
        return self in (Stage.ROUTES_BACK, Stage.PODS_BACK)


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

# Before these the Pods are counted. The way back may have begun earlier, and then no Pods were changed.
_WITH_PODS = frozenset(Stage) - {
    Stage.PENDING,
    Stage.ROUTES_BACK,
    Stage.SUCCEEDED,
    Stage.ABORTED,
    Stage.ROLLED_BACK,
}


class LogEntry(Frozen):
    """One entry of the log: who did what, when, why, and where the rollout stood after it.

    Parameters:
        number: from 1, without gaps; the oldest entries are dropped.
        step, weight: of the state after it; `weight` is the one wanted, in percent.
    """

    number: Count
    at: AwareDatetime
    who: str
    action: StoredLogAction
    why: str = ""
    phase: Phase
    stage: Stage
    step: Count
    weight: Percent


class Obstacle(Frozen):
    """What keeps a rollout, besides its steps: it is no stage, because the rollout goes on from where it is.

    Parameters:
        reason: one word in CamelCase, for programs.
        message: for people; where a person has to do something, it says what.
        stalls: only a person ends it. Otherwise it ends by itself.
    """

    reason: str
    message: str
    stalls: bool = True


class State(Frozen):
    """A rollout.

    Parameters:
        generation: counts the rollouts of this name.
        spec_generation: `metadata.generation` of the Rollout object whose spec this is.
        turn: counts the stages entered; a report on an earlier turn comes too late.
        step: index into `rollout.spec.steps`; their number, once all are done.
        rung: index into the weights of an `auto` step.
        weight: percent of untagged requests that the new versions are to get; `applied`: that they got last.
        taken: the new versions are to be the baseline's; `applied_taken`: they are.
        sizes: service → version → Pods when it began; `pods`: Pods that are wanted now.
        begun: when somebody started it; of two rollouts of a group the older goes first.
        since: when the present stage began.
        clock: when the present pause or analysis began, or the time for which the old version is kept.
        returns: the stage that a pause or a failure came from, to be resumed.
        outcome: the stage that the way back ends in.
        told: number of the last log entry that is published, as an Event and to the webhooks.
        lanegroup: it began from a LaneGroup object, and lies over that.
        done: it has succeeded, and lies over nothing any more: the LaneGroup object has gone on from there.
    """

    rollout: Rollout
    generation: Count = 1
    spec_generation: Count = 0
    turn: Count = 0
    stage: Stage = Stage.PENDING
    step: Count = 0
    rung: Count = 0
    weight: Percent = 0
    applied: Percent = 0
    taken: bool = False
    applied_taken: bool = False
    sizes: PodCounts = Field(default_factory=dict)
    pods: PodCounts = Field(default_factory=dict)
    begun: AwareDatetime
    since: AwareDatetime
    clock: AwareDatetime
    returns: Stage | None = None
    outcome: Stage | None = None
    why: str = ""
    tallies: Mapping[str, Tally] = Field(default_factory=dict)
    log: tuple[LogEntry, ...] = ()
    told: Count = 0
    lanegroup: bool = False
    obstacle: Obstacle | None = None
    done: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "State":
        """What is read may have been edited: its parts have to be of the same rollout."""
        steps = self.rollout.spec.steps
        auto = steps[self.step].auto if self.step < len(steps) else None
        if self.step > len(steps) or self.rung > (len(rungs(auto)) - 1 if auto else 0):
            raise ValueError("the rollout has no such step")
        moves = {name: {move.from_, move.to} for name, move in self.rollout.spec.services.items()}
        for counts in (self.sizes, self.pods):
            if counts and {name: set(versions) for name, versions in counts.items()} != moves:
                raise ValueError("its Pods are those of other versions")
            if any(not 0 <= one <= MOST_PODS for versions in counts.values() for one in versions.values()):
                raise ValueError("no Deployment has that many Pods")
        # What resumes one that is held begins with the stage that it came from.
        held = self.stage in (Stage.HELD, Stage.BAD_CHANGE)
        if (self.returns or Stage.ANALYSE if held else self.stage) in _WITH_PODS and not (self.sizes and self.pods):
            raise ValueError("its Pods are not counted, though it has begun")
        return self

    @property
    def phase(self) -> Phase:
        return PHASE[self.stage]

    @property
    def name(self) -> str:
        return self.rollout.metadata.name

    @property
    def current(self) -> RolloutStep | None:
        """The step that it is in; None once all are done."""
        steps = self.rollout.spec.steps
        return steps[self.step] if self.step < len(steps) else None

    @property
    def old_retired(self) -> bool:
        """The old versions are deleted, as `keepOld` asks."""
        return self.phase is Phase.SUCCEEDED and self.rollout.spec.keep_old is not None

    @field_serializer("rollout")
    def _as_written(self, rollout: Rollout) -> dict[str, Any]:
        return rollout.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def to_json(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str) -> "State":
        """
        Raises:
            UnreadableStateError: the text is not what `to_json` writes.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = f"{dotted(first['loc'])}: " if first["loc"] else ""
            raise UnreadableStateError(f"stored state of a rollout: {where}{first['msg']}") from None


def recent(text: str) -> str:
    """A state as JSON with the newest entries of its log alone: a log may fill an object, and takes thirty times its
    bytes as entries."""
    if len(text) <= LONG:
        return text
    value = json.loads(text)
    log = value.get("log") if isinstance(value, dict) else None
    if isinstance(log, list) and len(log) > MOST_ENTRIES:
        return json.dumps({**value, "log": log[-MOST_ENTRIES:]})
    return text


def trimmed(state: State) -> Iterator[State]:
    """The state with less and less of what is not needed to go on: fewer of the oldest entries of the log, then no
    measurements of an analysis that is over. Texts of other versions of graylane are cut to the limits of this one."""
    entries = tuple(
        one.model_copy(update={"who": clip(one.who, LONGEST_WHO), "why": clip(one.why, LONGEST_WHY)})
        for one in state.log
    )
    state = state.model_copy(update={"log": entries, "why": clip(state.why, LONGEST_WHY)})
    yield state
    while len(state.log) > 1:
        state = state.model_copy(update={"log": state.log[-(len(state.log) // 2) :]})
        yield state
    if state.stage is not Stage.ANALYSE:
        yield state.model_copy(update={"tallies": {}})


def pending(
    rollout: Rollout, *, who: str, now: datetime, generation: int = 1, spec_generation: int = 0, note: str = ""
) -> State:
    """The state of a rollout that somebody starts. It waits for a controller.

    Parameters:
        who, note: for the log.
        now: with a time zone.
    """
    first = LogEntry(
        number=1,
        at=now,
        who=clip(who, LONGEST_WHO),
        action=LogAction(LogKind.START),
        why=clip(note, LONGEST_WHY),
        phase=Phase.PENDING,
        stage=Stage.PENDING,
        step=0,
        weight=0,
    )
    return State(
        rollout=rollout,
        generation=generation,
        spec_generation=spec_generation,
        begun=now,
        since=now,
        clock=now,
        log=(first,),
    )
