"""The next state for each event, in the stages where `machine.STAGES` allows it."""

from datetime import datetime
from typing import Any

from meshconfig.bounded import clip
from meshconfig.rollout import analysis, pods, transitions
from meshconfig.rollout.analysis import Answer
from meshconfig.rollout.events import (
    ApplyFailed,
    Approve,
    Decision,
    Elapsed,
    Measured,
    OldRetired,
    Pause,
    PodsFailed,
    PodsReady,
    Published,
    Resume,
    Rollback,
    Routed,
    Start,
    Supersede,
)
from meshconfig.rollout.log import LogAction, LogKind
from meshconfig.rollout.pending_actions import until
from meshconfig.rollout.state import LONGEST_WHY, Stage, State
from meshconfig.rollout.transitions import Note, by_graylane


def begin(state: State, event: Start, now: datetime) -> State:
    sizes = pods.begun(state.rollout, event.sizes)
    begun = state.model_copy(update={"sizes": sizes, "pods": sizes, "lanegroup": event.lanegroup, "obstacle": None})
    return transitions.enter(begun, 0, now, by_graylane(LogKind.TAKE_UP))


def grown(state: State, event: PodsReady, now: datetime) -> State:
    return transitions.go(state, Stage.ROUTE, now, by_graylane(LogKind.PODS_READY))


def routed(state: State, event: Routed, now: datetime) -> State:
    current = state.current
    note = by_graylane(LogKind.WEIGHT, weight=state.weight)
    state = state.model_copy(update={"applied": state.weight})
    if current is not None and current.replicas is not None:
        fewer = pods.shrunk(state.rollout, state.sizes, state.pods, state.weight)
        if fewer != state.pods:
            return transitions.go(state, Stage.SHRINK, now, note, pods=fewer)
    return transitions.rest(state, now, note)


def shrunk(state: State, event: PodsReady, now: datetime) -> State:
    return transitions.rest(state, now, by_graylane(LogKind.OLD_PODS_GONE))


def paused(state: State, event: Elapsed, now: datetime) -> State:
    if now < until(state):
        return state
    return transitions.enter(state, state.step + 1, now, by_graylane(LogKind.TIME_OVER))


def kept(state: State, event: Elapsed, now: datetime) -> State:
    if now < until(state):
        return state
    return transitions.go(state, Stage.RETIRE, now, by_graylane(LogKind.TIME_OVER))


def measured(state: State, event: Measured, now: datetime) -> State:
    before = state.tallies
    tallies = analysis.count(state.rollout, before, event.readings, state.clock, until(state), now)
    state = state.model_copy(update={"tallies": tallies})
    found = analysis.verdict(state.rollout, tallies)
    if found is None:
        worse = analysis.newly_failed(before, tallies)
        if worse and state.current is not None and state.current.auto:
            note = by_graylane(LogKind.MEASUREMENT_FAILED, worse)
            return transitions.set_back(state, now, note, analysis.failures_alone(tallies))
        return state
    match found.answer:
        case Answer.FAIL:
            note = by_graylane(LogKind.ANALYSIS_FAILED, found.why)
            return transitions.fail(state, now, note, Stage.BAD_METRICS)
        case Answer.NO_DATA:
            return transitions.go(state, Stage.NO_DATA, now, by_graylane(LogKind.NO_DATA, found.why))
        case Answer.PASS:
            note = by_graylane(LogKind.ANALYSIS_PASSED, found.why)
            return transitions.passed(state, now, note, analysis.failures_alone(tallies))


def approve_pause(state: State, event: Approve, now: datetime) -> State:
    return transitions.enter(state, state.step + 1, now, _by_person(event))


def approve_metrics(state: State, event: Approve, now: datetime) -> State:
    """As if the metrics had passed, with nothing counted against the next weight."""
    return transitions.passed(state, now, _by_person(event), {})


def hold(state: State, event: Pause, now: datetime) -> State:
    return transitions.go(state, Stage.HELD, now, _by_person(event), returns=state.stage)


def resume(state: State, event: Resume, now: datetime) -> State:
    """A timed pause goes on, and the time that has passed counts. An analysis starts anew."""
    stage = state.returns or Stage.ANALYSE
    anew: dict[str, Any] = {"clock": now, "tallies": {}} if stage is Stage.ANALYSE else {}
    return transitions.go(state, stage, now, _by_person(event), returns=None, **anew)


def failed(state: State, event: PodsFailed | ApplyFailed, now: datetime) -> State:
    return transitions.fail(state, now, by_graylane(event.kind, event.why), Stage.BAD_CHANGE)


def back(state: State, event: Decision, now: datetime) -> State:
    outcome = Stage.ROLLED_BACK if isinstance(event, Rollback) else Stage.ABORTED
    return transitions.go_back(state, now, _by_person(event), outcome)


def taken_over(state: State, event: Routed, now: datetime) -> State:
    stage = Stage.SUCCEEDED if state.rollout.spec.keep_old is None else Stage.KEEP
    note = by_graylane(LogKind.TAKEN_OVER)
    return transitions.go(state, stage, now, note, applied=state.weight, applied_taken=True, clock=now)


def retired(state: State, event: OldRetired, now: datetime) -> State:
    return transitions.go(state, Stage.SUCCEEDED, now, by_graylane(LogKind.OLD_RETIRED))


def routes_back(state: State, event: Routed, now: datetime) -> State:
    # Where no Pods were ever counted, none were changed.
    stage = Stage.PODS_BACK if state.sizes else state.outcome or Stage.ABORTED
    there = {"applied": state.weight, "applied_taken": False, "pods": state.sizes, "why": state.why}
    return transitions.go(state, stage, now, by_graylane(LogKind.WEIGHT, weight=state.weight), **there)


def pods_back(state: State, event: PodsReady, now: datetime) -> State:
    note = by_graylane(LogKind.PODS_READY)
    return transitions.go(state, state.outcome or Stage.ABORTED, now, note, why=state.why)


def again(state: State, event: PodsFailed | ApplyFailed, now: datetime) -> State:
    """On the way back, and while the old version is being retired, the only way is to try again.

    The log gets one entry for failures in a row that have the same reason.
    """
    why = clip(event.why, LONGEST_WHY)
    state = state.model_copy(update={"turn": state.turn + 1, "why": why})
    last = state.log[-1] if state.log else None
    if last and (last.action, last.why) == (LogAction(event.kind), why):
        return state
    return transitions.logged(state, now, by_graylane(event.kind, why))


def on_its_way(state: State, event: Decision, now: datetime) -> State:
    return transitions.logged(state, now, _by_person(event))


def published(state: State, event: Published, now: datetime) -> State:
    return state.model_copy(update={"told": max(state.told, event.number)})


def _by_person(event: Decision) -> Note:
    why = f"by rollout {event.by}" if isinstance(event, Supersede) else ""
    return Note(event.who, LogAction(event.kind), "; ".join(part for part in (why, event.note) if part))
