"""What each event does to a rollout, in the stages where it is legal."""

from datetime import datetime

from meshconfig.rollout import analysis, pods, transitions
from meshconfig.rollout.analysis import Answer
from meshconfig.rollout.events import (
    ApplyFailed,
    Approve,
    Elapsed,
    Measured,
    OldRetired,
    Pause,
    PodsFailed,
    PodsReady,
    Resume,
    Rollback,
    Routed,
    Said,
    Start,
    Supersede,
    Told,
    word,
)
from meshconfig.rollout.pending_actions import until
from meshconfig.rollout.state import Stage, State
from meshconfig.rollout.transitions import GRAYLANE, Note


def begin(state: State, event: Start, now: datetime) -> State:
    sizes = pods.begun(state.rollout, event.sizes)
    begun = state.model_copy(update={"sizes": sizes, "pods": sizes})
    return transitions.enter(begun, 0, now, Note(GRAYLANE, "take up"))


def grown(state: State, event: PodsReady, now: datetime) -> State:
    return transitions.go(state, Stage.ROUTE, now, Note(GRAYLANE, "pods ready"))


def routed(state: State, event: Routed, now: datetime) -> State:
    current = state.current
    note = Note(GRAYLANE, f"weight {state.weight}")
    state = state.model_copy(update={"applied": state.weight})
    if current is not None and current.replicas is not None:
        fewer = pods.shrunk(state.rollout, state.sizes, state.pods, state.weight)
        if fewer != state.pods:
            return transitions.go(state, Stage.SHRINK, now, note, pods=fewer)
    return transitions.rest(state, now, note)


def shrunk(state: State, event: PodsReady, now: datetime) -> State:
    return transitions.rest(state, now, Note(GRAYLANE, "old pods gone"))


def elapsed(state: State, event: Elapsed, now: datetime) -> State:
    if now < until(state):
        return state
    if state.stage is Stage.KEEP:
        return transitions.go(state, Stage.RETIRE, now, Note(GRAYLANE, "time over"))
    return transitions.enter(state, state.step + 1, now, Note(GRAYLANE, "time over"))


def measured(state: State, event: Measured, now: datetime) -> State:
    before = state.tallies
    tallies = analysis.count(state.rollout, before, event.readings, state.clock, until(state), now)
    state = state.model_copy(update={"tallies": tallies})
    found = analysis.verdict(state.rollout, tallies)
    if found is None:
        worse = analysis.newly_failed(before, tallies)
        if worse and state.current is not None and state.current.auto:
            counted = analysis.failures_alone(tallies)
            return transitions.set_back(state, now, Note(GRAYLANE, "measurement failed", worse), counted)
        return state
    if found.answer is Answer.FAIL:
        return transitions.fail(state, now, Note(GRAYLANE, "analysis failed", found.why), Stage.BAD_METRICS)
    if found.answer is Answer.NO_DATA:
        return transitions.go(state, Stage.NO_DATA, now, Note(GRAYLANE, "no data", found.why))
    return transitions.passed(
        state, now, Note(GRAYLANE, "analysis passed", found.why), analysis.failures_alone(tallies)
    )


def approve(state: State, event: Approve, now: datetime) -> State:
    note = Note(event.who, "approve", event.note)
    if state.stage in (Stage.WAIT, Stage.APPROVAL):
        return transitions.enter(state, state.step + 1, now, note)
    return transitions.passed(state, now, note, {})


def hold(state: State, event: Pause, now: datetime) -> State:
    return transitions.go(state, Stage.HELD, now, Note(event.who, "pause", event.note), returns=state.stage)


def resume(state: State, event: Resume, now: datetime) -> State:
    """A timed pause goes on with the time that passed counted; what was measured is measured anew."""
    stage, note = state.returns or Stage.ANALYSE, Note(event.who, "resume", event.note)
    if stage is Stage.ANALYSE:
        return transitions.go(state, stage, now, note, clock=now, tallies={}, returns=None)
    return transitions.go(state, stage, now, note, returns=None)


def failed(state: State, event: PodsFailed | ApplyFailed, now: datetime) -> State:
    return transitions.fail(state, now, Note(GRAYLANE, word(type(event)), event.why), Stage.BAD_CHANGE)


def back(state: State, event: Said, now: datetime) -> State:
    return transitions.go_back(
        state, now, decision(event), Stage.ROLLED_BACK if type(event) is Rollback else Stage.ABORTED
    )


def taken_over(state: State, event: Routed, now: datetime) -> State:
    stage = Stage.SUCCEEDED if state.rollout.spec.keep_old is None else Stage.KEEP
    note = Note(GRAYLANE, "taken over")
    return transitions.go(state, stage, now, note, applied=state.weight, applied_taken=True, clock=now)


def retired(state: State, event: OldRetired, now: datetime) -> State:
    return transitions.go(state, Stage.SUCCEEDED, now, Note(GRAYLANE, "old retired"))


def routes_back(state: State, event: Routed, now: datetime) -> State:
    note = Note(GRAYLANE, f"weight {state.weight}")
    # Where no Pods were ever counted, none were changed.
    stage = Stage.PODS_BACK if state.sizes else state.outcome or Stage.ABORTED
    there = {"applied": state.weight, "applied_taken": False, "pods": state.sizes, "why": state.why}
    return transitions.go(state, stage, now, note, **there)


def pods_back(state: State, event: PodsReady, now: datetime) -> State:
    return transitions.go(state, state.outcome or Stage.ABORTED, now, Note(GRAYLANE, "pods ready"), why=state.why)


def again(state: State, event: PodsFailed | ApplyFailed, now: datetime) -> State:
    """On the way back, and once the old version is being retired, there is nothing to do but to try again."""
    state = state.model_copy(update={"turn": state.turn + 1, "why": event.why})
    note = Note(GRAYLANE, word(type(event)), event.why)
    said = state.log and (state.log[-1].action, state.log[-1].why) == (note.action, note.why)
    return state if said else transitions.logged(state, now, note)


def on_its_way(state: State, event: Said, now: datetime) -> State:
    return transitions.logged(state, now, decision(event))


def told(state: State, event: Told, now: datetime) -> State:
    return state.model_copy(update={"told": max(state.told, event.number)})


def decision(event: Said) -> Note:
    why = f"by rollout {event.by}" if isinstance(event, Supersede) else ""
    return Note(event.who, word(type(event)), "; ".join(part for part in (why, event.note) if part))
