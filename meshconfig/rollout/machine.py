"""The state machine of a rollout: one table says what each stage allows and what it asks for."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from meshconfig.errors import GraylaneError
from meshconfig.rollout import handlers
from meshconfig.rollout import pending_actions as pending
from meshconfig.rollout.actions import Action
from meshconfig.rollout.events import (
    Abort,
    ApplyFailed,
    Approve,
    Decision,
    Elapsed,
    Event,
    Measured,
    OldRetired,
    Pause,
    PodsFailed,
    PodsReady,
    Published,
    Report,
    Resume,
    Rollback,
    Routed,
    Start,
    Supersede,
    word,
)
from meshconfig.rollout.state import Stage, State

Handler = Callable[[State, Any, datetime], State]
Row = Mapping[type[Event], Handler]


class IllegalEventError(GraylaneError):
    """The event cannot happen in the rollout's stage. The message names the events that can."""


class Rules(NamedTuple):
    """What holds in one stage.

    Parameters:
        on: the events that can happen, each with the function that makes the next state.
        actions: what a runner is to do meanwhile.
    """

    on: Row
    actions: Callable[[State], pending.Actions] = pending.nothing


class Result(NamedTuple):
    """The state of a rollout, and what it asks a runner to do, in this order."""

    state: State
    actions: tuple[Action, ...]


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

STAGES: Mapping[Stage, Rules] = {
    Stage.PENDING: Rules(
        {**_FORWARD, Start: handlers.begin, ApplyFailed: handlers.failed},
        pending.take_up,
    ),
    Stage.SCALE: Rules({**_FORWARD, **_FRAGILE, PodsReady: handlers.grown}, pending.scale_up),
    Stage.ROUTE: Rules({**_FORWARD, **_FRAGILE, Routed: handlers.routed}, pending.route),
    Stage.SHRINK: Rules({**_FORWARD, **_FRAGILE, PodsReady: handlers.shrunk}, pending.scale_down),
    Stage.ANALYSE: Rules(
        {**_FORWARD, PodsFailed: handlers.failed, Measured: handlers.measured},
        pending.analyse,
    ),
    Stage.TAKE_OVER: Rules({**_FORWARD, **_FRAGILE, Routed: handlers.taken_over}, pending.take_over),
    Stage.KEEP: Rules({**_FORWARD, Elapsed: handlers.kept}, pending.keep_old),
    Stage.WAIT: Rules(
        {**_FORWARD, PodsFailed: handlers.failed, Elapsed: handlers.paused, Approve: handlers.approve_pause},
        pending.pause,
    ),
    Stage.APPROVAL: Rules(
        {**_BACK, PodsFailed: handlers.failed, Approve: handlers.approve_pause},
        pending.watch,
    ),
    Stage.HELD: Rules({**_BACK, Resume: handlers.resume}),
    Stage.NO_DATA: Rules({**_BACK, Resume: handlers.resume, Approve: handlers.approve_metrics}),
    Stage.BAD_METRICS: Rules({**_BACK, Resume: handlers.resume, Approve: handlers.approve_metrics}),
    Stage.BAD_CHANGE: Rules({**_BACK, Resume: handlers.resume}),
    Stage.ROUTES_BACK: Rules({**_ON_ITS_WAY, Routed: handlers.routes_back}, pending.route_back),
    Stage.PODS_BACK: Rules({**_ON_ITS_WAY, PodsReady: handlers.pods_back}, pending.scale_back),
    # Half of the old Pods may be gone: routes back would lead to nobody.
    Stage.RETIRE: Rules({ApplyFailed: handlers.again, OldRetired: handlers.retired}, pending.retire),
    Stage.SUCCEEDED: Rules({}),
    Stage.ABORTED: Rules({}),
    Stage.ROLLED_BACK: Rules({}),
}


def step(state: State, event: Event, now: datetime) -> Result:
    """Applies an event to a rollout.

    A report on an earlier turn comes too late and changes nothing. `Published` can happen in every stage.

    Parameters:
        now: with a time zone.

    Returns:
        The new state, to be stored before anything is done, and all that it asks for.

    Raises:
        IllegalEventError: the event cannot happen in this stage.
    """
    if isinstance(event, Published):
        return resume(handlers.published(state, event, now))
    if isinstance(event, Report) and event.turn != state.turn:
        return resume(state)
    handler = STAGES[state.stage].on.get(type(event))
    if handler is None:
        raise IllegalEventError(_refusal(state, event))
    return resume(handler(state, event, now))


def resume(state: State) -> Result:
    """A stored state, with what it asks for: the same as when `step` returned it."""
    return Result(state, (*STAGES[state.stage].actions(state), *pending.notify(state)))


def allows(state: State, event: type[Event]) -> bool:
    """Whether this event can happen now."""
    return event in STAGES[state.stage].on


def _refusal(state: State, event: Event) -> str:
    """The message for a person names only what a person can do."""
    named = f"rollout {state.name} is {state.phase} ({state.stage})"
    possible = [word(one) for one in STAGES[state.stage].on if _by_hand(one) or not isinstance(event, Decision)]
    if not possible:
        return f"{named}: {word(type(event))} is not possible any more"
    return f"{named}: {word(type(event))} is not possible; possible: {', '.join(possible)}"


def _by_hand(event: type[Event]) -> bool:
    """Nobody types `supersede`: starting another rollout does that."""
    return issubclass(event, Decision) and event is not Supersede
