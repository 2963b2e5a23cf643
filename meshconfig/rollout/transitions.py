"""The ways from stage to stage that several events share. Each change of stage is one line of the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from meshconfig.rollout import automatic, pods
from meshconfig.rollout.analysis import Tallies
from meshconfig.rollout.state import KEPT, LogEntry, Stage, State

GRAYLANE = "graylane"


class Note(NamedTuple):
    """For the log: who did what, and why."""

    who: str
    action: str
    why: str = ""


def go(state: State, stage: Stage, now: datetime, note: Note, **changes: Any) -> State:
    """Into a stage; what was asked for before is asked for no more."""
    update: Mapping[str, Any] = {"stage": stage, "turn": state.turn + 1, "since": now, "why": note.why, **changes}
    return logged(state.model_copy(update=update), now, note)


def logged(state: State, now: datetime, note: Note) -> State:
    entry = LogEntry(
        number=state.log[-1].number + 1 if state.log else 1,
        at=now,
        who=note.who,
        action=note.action,
        why=note.why,
        phase=state.phase,
        stage=state.stage,
        step=state.step,
        weight=state.weight,
    )
    return state.model_copy(update={"log": (*state.log, entry)[-KEPT:]})


def enter(state: State, index: int, now: datetime, note: Note) -> State:
    """The step of this number begins; after the last, the new versions take over."""
    state = state.model_copy(update={"step": index, "rung": 0, "tallies": {}, "returns": None})
    current = state.current
    if current is None:
        return go(state, Stage.TAKE_OVER, now, note, weight=100, taken=True)
    if current.weights is not None:
        return towards(state, current.weights[0], now, note)
    return rest(state, now, note)


def towards(state: State, weight: int, now: datetime, note: Note, **changes: Any) -> State:
    """A weight begins with the Pods for it."""
    replicas = state.current.replicas if state.current else None
    grown = pods.grown(state.rollout, state.sizes, state.pods, weight, replicas)
    return go(state, Stage.SCALE, now, note, weight=weight, pods=grown, **changes)


def rest(state: State, now: datetime, note: Note) -> State:
    """What the step asks for once its weight is in force."""
    current = state.current
    if current is not None and current.pause:
        stage = Stage.APPROVAL if current.pause.for_ is None else Stage.WAIT
        return go(state, stage, now, note, clock=now)
    if current is not None and (current.analysis or current.auto):
        return go(state, Stage.ANALYSE, now, note, clock=now)
    return enter(state, state.step + 1, now, note)


def passed(state: State, now: datetime, note: Note, tallies: Tallies) -> State:
    """On from an analysis: the next step, or the next weight of `auto`, with what counts on there."""
    auto = state.current.auto if state.current else None
    rung = automatic.above(auto, state.rung) if auto else None
    if auto is None or rung is None:
        return enter(state, state.step + 1, now, note)
    return towards(state, automatic.rungs(auto)[rung], now, note, rung=rung, tallies=tallies, returns=None)


def set_back(state: State, now: datetime, note: Note, tallies: Tallies) -> State:
    """One weight of `auto` down; at the first, measured again."""
    auto = state.current.auto if state.current else None
    rung = automatic.below(state.rung)
    if auto is None or rung == state.rung:
        return go(state, Stage.ANALYSE, now, note, clock=now, tallies=tallies)
    return towards(state, automatic.rungs(auto)[rung], now, note, rung=rung, tallies=tallies)


def fail(state: State, now: datetime, note: Note, held: Stage) -> State:
    """As `onFail` says: back, or held where it is."""
    if state.rollout.spec.on_fail == "rollback":
        return go_back(state, now, note, Stage.ROLLED_BACK)
    return go(state, held, now, note, returns=state.stage)


def go_back(state: State, now: datetime, note: Note, outcome: Stage) -> State:
    """Routes first, whatever it was doing; all services together."""
    begun = {"weight": 0, "taken": False, "returns": None, "outcome": outcome}
    return go(state, Stage.ROUTES_BACK, now, note, **begun)
