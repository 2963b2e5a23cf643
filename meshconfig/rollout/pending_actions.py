"""What a state asks for now: a function of the state alone, so that whoever takes it up goes on where it stopped."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from meshconfig.rollout.actions import Action, Analyse, Notify, Retire, Route, Scale, Wait
from meshconfig.rollout.analysis import asks
from meshconfig.rollout.state import Stage, State


def actions(state: State) -> tuple[Action, ...]:
    """To be done in this order; a runner reports once all but the `Notify` are."""
    return (*work(state), *_untold(state))


def until(state: State) -> datetime:
    """When the pause, the analysis or the keeping that the state is in ends."""
    step, spec = state.current, state.rollout.spec
    seconds = 0.0
    if step is None:
        seconds = spec.keep_old or 0.0
    elif step.pause:
        seconds = step.pause.for_ or 0.0
    elif step.analysis:
        seconds = step.analysis.for_
    elif step.auto:
        seconds = step.auto.every
    return state.clock + timedelta(seconds=seconds)


def work(state: State) -> tuple[Action, ...]:
    """Of its actions those that move it on; none while somebody is waited for, and at the end."""
    match state.stage:
        case Stage.SCALE:
            return tuple(_scaled(state, old=False))
        case Stage.SHRINK:
            return tuple(_scaled(state, new=False))
        case Stage.PODS_BACK:
            return tuple(_scaled(state))
        case Stage.ROUTE | Stage.ROUTES_BACK | Stage.TAKE_OVER:
            return (Route(state.weight, state.taken),)
        case Stage.WAIT | Stage.KEEP:
            return (Wait(until(state)),)
        case Stage.ANALYSE:
            return (Analyse(asks(state.rollout, state.tallies, state.clock, until(state))),)
        case Stage.RETIRE:
            return tuple(Retire(name, move.from_) for name, move in state.rollout.spec.services.items())
        case _:
            return ()


def _scaled(state: State, *, old: bool = True, new: bool = True) -> Iterator[Scale]:
    """The old versions first: on the way back they get the requests."""
    for name, move in state.rollout.spec.services.items():
        if old and name in state.pods:
            yield Scale(name, move.from_, state.pods[name][move.from_])
    for name, move in state.rollout.spec.services.items():
        if new and name in state.pods:
            yield Scale(name, move.to, state.pods[name][move.to])


def _untold(state: State) -> Iterator[Notify]:
    yield from (Notify(entry.number) for entry in state.log if entry.number > state.told)
