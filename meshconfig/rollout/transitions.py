"""The ways from stage to stage that several events share. Each change of stage is one entry of the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from meshconfig.bounded import clip
from meshconfig.rollout import automatic, pods
from meshconfig.rollout.analysis import Tallies
from meshconfig.rollout.log import LogAction, LogKind
from meshconfig.rollout.state import KEPT, LONGEST_WHO, LONGEST_WHY, LogEntry, Stage, State

GRAYLANE = "graylane"


class Note(NamedTuple):
    """For the log: who did what, and why."""

    who: str
    action: LogAction
    why: str = ""


def by_graylane(kind: LogKind, why: str = "", weight: int | None = None) -> Note:
    """What no person decided."""
    return Note(GRAYLANE, LogAction(kind, weight), why)


def go(state: State, stage: Stage, now: datetime, note: Note, **changes: Any) -> State:
    """Enters `stage`; pending actions are cancelled.

    Parameters:
        changes: other fields of the state.
    """
    why = clip(note.why, LONGEST_WHY)
    update: Mapping[str, Any] = {"stage": stage, "turn": state.turn + 1, "since": now, "why": why, **changes}
    return logged(state.model_copy(update=update), now, note)


def logged(state: State, now: datetime, note: Note) -> State:
    """Adds an entry to the log, and drops the oldest ones above the limit."""
    entry = LogEntry(
        number=state.log[-1].number + 1 if state.log else 1,
        at=now,
        who=clip(note.who, LONGEST_WHO),
        action=note.action,
        why=clip(note.why, LONGEST_WHY),
        phase=state.phase,
        stage=state.stage,
        step=state.step,
        weight=state.weight,
    )
    return state.model_copy(update={"log": (*state.log, entry)[-KEPT:]})


def enter(state: State, index: int, now: datetime, note: Note) -> State:
    """Starts the step of this index, from 0; after the last one, the new versions take over."""
    state = state.model_copy(update={"step": index, "rung": 0, "tallies": {}, "returns": None})
    current = state.current
    if current is None:
        return go(state, Stage.TAKE_OVER, now, note, weight=100, taken=True)
    if current.weights is not None:
        return towards(state, current.weights[0], now, note)
    return rest(state, now, note)


def towards(state: State, weight: int, now: datetime, note: Note, **changes: Any) -> State:
    """Starts a weight with the Pods for it."""
    replicas = state.current.replicas if state.current else None
    grown = pods.grown(state.rollout, state.sizes, state.pods, weight, replicas)
    return go(state, Stage.SCALE, now, note, weight=weight, pods=grown, **changes)


def rest(state: State, now: datetime, note: Note) -> State:
    """Starts the pause or the analysis of the current step, or the next step where it has neither."""
    current = state.current
    if current is not None and current.pause:
        stage = Stage.APPROVAL if current.pause.for_ is None else Stage.WAIT
        return go(state, stage, now, note, clock=now)
    if current is not None and (current.analysis or current.auto):
        return go(state, Stage.ANALYSE, now, note, clock=now)
    return enter(state, state.step + 1, now, note)


def passed(state: State, now: datetime, note: Note, tallies: Tallies) -> State:
    """After an analysis: starts the next step, or the next weight of `auto`.

    Parameters:
        tallies: what is counted on at the next weight.
    """
    auto = state.current.auto if state.current else None
    rung = automatic.above(auto, state.rung) if auto else None
    if auto is None or rung is None:
        return enter(state, state.step + 1, now, note)
    return towards(state, automatic.rungs(auto)[rung], now, note, rung=rung, tallies=tallies, returns=None)


def set_back(state: State, now: datetime, note: Note, tallies: Tallies) -> State:
    """Goes down to the weight of `auto` before this one; the first one is measured again."""
    auto = state.current.auto if state.current else None
    rung = automatic.below(state.rung)
    if auto is None or rung == state.rung:
        return go(state, Stage.ANALYSE, now, note, clock=now, tallies=tallies)
    return towards(state, automatic.rungs(auto)[rung], now, note, rung=rung, tallies=tallies)


def fail(state: State, now: datetime, note: Note, held: Stage) -> State:
    """Goes back or holds the rollout, as `onFail` says.

    Parameters:
        held: the stage to hold it in.
    """
    if state.rollout.spec.on_fail == "rollback":
        return go_back(state, now, note, Stage.ROLLED_BACK)
    return go(state, held, now, note, returns=state.stage)


def go_back(state: State, now: datetime, note: Note, outcome: Stage) -> State:
    """Cancels everything and moves the requests of all services back; Pods follow.

    Parameters:
        outcome: the stage that the way back ends in.
    """
    begun = {"weight": 0, "taken": False, "returns": None, "outcome": outcome}
    return go(state, Stage.ROUTES_BACK, now, note, **begun)
