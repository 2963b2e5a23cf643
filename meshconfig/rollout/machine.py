"""The state machine of a rollout: one table of every legal transition."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from meshconfig.errors import GraylaneError
from meshconfig.rollout import handlers
from meshconfig.rollout.actions import Action
from meshconfig.rollout.events import (
    Abort,
    ApplyFailed,
    Approve,
    Elapsed,
    Event,
    Measured,
    OldRetired,
    Pause,
    PodsFailed,
    PodsReady,
    Report,
    Resume,
    Rollback,
    Routed,
    Said,
    Start,
    Supersede,
    Told,
    word,
)
from meshconfig.rollout.pending_actions import actions
from meshconfig.rollout.state import Stage, State

Handler = Callable[[State, Any, datetime], State]
Row = Mapping[type[Event], Handler]


class IllegalEventError(GraylaneError):
    """A rollout is not where this could happen; the message says what can."""


_BACK: Row = {Abort: handlers.back, Rollback: handlers.back, Supersede: handlers.back}
_FORWARD: Row = {**_BACK, Pause: handlers.hold}
_FRAGILE: Row = {PodsFailed: handlers.failed, ApplyFailed: handlers.failed}
_ON_ITS_WAY: Row = {
    Abort: handlers.on_its_way,
    Rollback: handlers.on_its_way,
    Supersede: handlers.on_its_way,
    PodsFailed: handlers.again,
    ApplyFailed: handlers.again,
}
_ENDED: Row = {}

TRANSITIONS: Mapping[Stage, Row] = {
    Stage.PENDING: {**_FORWARD, Start: handlers.begin, ApplyFailed: handlers.failed},
    Stage.SCALE: {**_FORWARD, **_FRAGILE, PodsReady: handlers.grown},
    Stage.ROUTE: {**_FORWARD, **_FRAGILE, Routed: handlers.routed},
    Stage.SHRINK: {**_FORWARD, **_FRAGILE, PodsReady: handlers.shrunk},
    Stage.ANALYSE: {**_FORWARD, PodsFailed: handlers.failed, Measured: handlers.measured},
    Stage.TAKE_OVER: {**_FORWARD, **_FRAGILE, Routed: handlers.taken_over},
    Stage.KEEP: {**_FORWARD, Elapsed: handlers.elapsed},
    Stage.WAIT: {**_FORWARD, PodsFailed: handlers.failed, Elapsed: handlers.elapsed, Approve: handlers.approve},
    Stage.APPROVAL: {**_BACK, PodsFailed: handlers.failed, Approve: handlers.approve},
    Stage.HELD: {**_BACK, Resume: handlers.resume},
    Stage.NO_DATA: {**_BACK, Resume: handlers.resume, Approve: handlers.approve},
    Stage.BAD_METRICS: {**_BACK, Resume: handlers.resume, Approve: handlers.approve},
    Stage.BAD_CHANGE: {**_BACK, Resume: handlers.resume},
    Stage.ROUTES_BACK: {**_ON_ITS_WAY, Routed: handlers.routes_back},
    Stage.PODS_BACK: {**_ON_ITS_WAY, PodsReady: handlers.pods_back},
    # Half of the old Pods may be gone: routes back would lead to nobody.
    Stage.RETIRE: {ApplyFailed: handlers.again, OldRetired: handlers.retired},
    Stage.SUCCEEDED: _ENDED,
    Stage.ABORTED: _ENDED,
    Stage.ROLLED_BACK: _ENDED,
}
# That a webhook was told is no transition: it may be heard of at any time, after the end as well.
TABLE: Mapping[Stage, Row] = {stage: {**row, Told: handlers.told} for stage, row in TRANSITIONS.items()}


def step(state: State, event: Event, now: datetime) -> tuple[State, tuple[Action, ...]]:
    """What becomes of a rollout.

    Parameters:
        now: with a time zone.

    Returns:
        The new state, to be stored before anything is done, and all that it asks for. A report that comes too late
        leaves the state as it is.

    Raises:
        IllegalEventError: the event cannot happen in this stage.
    """
    if isinstance(event, Report) and event.turn != state.turn:
        return state, actions(state)
    handler = TABLE[state.stage].get(type(event))
    if handler is None:
        raise IllegalEventError(_refusal(state, event))
    after = handler(state, event, now)
    return after, actions(after)


def _may_be_said(event: type[Event]) -> bool:
    """By a person: that one supersedes another is said by starting it."""
    return issubclass(event, Said) and event is not Supersede


def _refusal(state: State, event: Event) -> str:
    """A person is told what a person can do."""
    named = f"rollout {state.name} is {state.phase} ({state.stage})"
    possible = [word(one) for one in TRANSITIONS[state.stage] if _may_be_said(one) or not isinstance(event, Said)]
    if not possible:
        return f"{named}: {word(type(event))} is not possible any more"
    return f"{named}: {word(type(event))} is not possible; possible: {', '.join(possible)}"
