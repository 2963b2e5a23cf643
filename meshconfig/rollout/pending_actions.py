"""What each stage asks for. Functions of the state alone: a runner that reads a stored state gets the same actions.

Which stage has which of these stands in `machine.STAGES`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from meshconfig.rollout.actions import (
    Action,
    Analyse,
    ChangeKind,
    GroupChange,
    Notify,
    Retire,
    Route,
    Scale,
    TakeUp,
    VersionScale,
    Wait,
    WatchPods,
)
from meshconfig.rollout.analysis import asks
from meshconfig.rollout.pods import PodCounts
from meshconfig.rollout.state import State

Actions = tuple[Action, ...]


def until(state: State) -> datetime:
    """When the pause, the analysis, or the time for which the old version is kept, ends."""
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


def nothing(state: State) -> Actions:
    """For a stage that a person has to end, and for the end of the rollout."""
    return ()


def take_up(state: State) -> Actions:
    return (TakeUp(),)


def scale_up(state: State) -> Actions:
    """The routes stay what they are until the Pods of the new versions are there."""
    return (Scale(tuple(_new(state, at_least=True)), group_change(state, ChangeKind.AUTOSCALERS, state.applied)),)


def scale_down(state: State) -> Actions:
    return (Scale(tuple(_old(state)), group_change(state, ChangeKind.AUTOSCALERS, state.applied)),)


def scale_back(state: State) -> Actions:
    """The old versions come first: they have the requests. A new version may be gone, since no request needs it."""
    versions = (*_old(state), *_new(state, optional=True))
    return (Scale(versions, group_change(state, ChangeKind.BACK, state.applied)),)


def route(state: State) -> Actions:
    return (Route(group_change(state, ChangeKind.WEIGHT, state.weight)),)


def route_back(state: State) -> Actions:
    """Requests go back before any Pods do, so the autoscalers keep their bounds for now."""
    return (Route(group_change(state, ChangeKind.BACK, state.weight)),)


def take_over(state: State) -> Actions:
    return (Route(GroupChange(ChangeKind.TAKE_OVER, state.weight)),)


def keep_old(state: State) -> Actions:
    return (Wait(until(state)),)


def pause(state: State) -> Actions:
    return (Wait(until(state)), *watch(state))


def analyse(state: State) -> Actions:
    end = until(state)
    return (Analyse(asks(state.rollout, state.tallies, state.clock, end), end), *watch(state))


def watch(state: State) -> Actions:
    """New versions that are to have no Pods are left out: they cannot lose any."""
    moves = state.rollout.spec.services.items()
    return (WatchPods({name: move.to for name, move in moves if state.pods.get(name, {}).get(move.to)}),)


def retire(state: State) -> Actions:
    old = {name: move.from_ for name, move in state.rollout.spec.services.items()}
    return (Retire(old, GroupChange(ChangeKind.RETIRE, state.weight)),)


def notify(state: State) -> Actions:
    """The entries of the log that are not published yet. Every stage asks for this, also after the end."""
    return tuple(Notify(entry.number) for entry in state.log if entry.number > state.told)


def _old(state: State) -> Iterator[VersionScale]:
    for name, move in state.rollout.spec.services.items():
        if name in state.pods:
            yield VersionScale(name, move.from_, state.pods[name][move.from_])


def _new(state: State, *, at_least: bool = False, optional: bool = False) -> Iterator[VersionScale]:
    for name, move in state.rollout.spec.services.items():
        if name in state.pods:
            yield VersionScale(name, move.to, state.pods[name][move.to], at_least=at_least, optional=optional)


def group_change(state: State, kind: ChangeKind, weight: int) -> GroupChange:
    """A change of the group at a weight, with the Pods that are wanted now."""
    return GroupChange(kind, weight, _changed(state.pods, state.sizes))


def _changed(pods: PodCounts, sizes: PodCounts) -> PodCounts:
    """The versions that are to have another number of Pods than when the rollout began."""
    found = {}
    for service, counts in pods.items():
        before = sizes.get(service, {})
        if changed := {version: count for version, count in counts.items() if count != before.get(version)}:
            found[service] = changed
    return found
