"""What is wanted of a group beside Git: nobody but Git writes a LaneGroup's spec, and rollouts lie over it.

An active rollout lies over it at its weight. One that has succeeded lies over it until the spec itself has gone on from
the old version. What Git changes elsewhere in the group is laid under them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from meshconfig.compile import problems
from meshconfig.errors import dotted
from meshconfig.preview.overlay import Routed
from meshconfig.rollout import steps
from meshconfig.rollout.actions import ChangeKind, GroupChange, Retire, Route, Scale
from meshconfig.rollout.canary_lane import NoCanaryLaneError
from meshconfig.rollout.check import check
from meshconfig.rollout.machine import resume
from meshconfig.rollout.pending_actions import group_change
from meshconfig.rollout.state import Phase, State
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.rollout import Move, Rollout

Value = dict[str, Any]


class Laid(Protocol):
    """A rollout of the group: its state, and the group that it began from; None until it has begun."""

    @property
    def state(self) -> State: ...

    @property
    def base(self) -> LaneGroup | None: ...


@dataclass(frozen=True, slots=True)
class Overlay:
    """
    Parameters:
        spec: the group that is wanted. While Git contradicts the active rollout, what is applied stays instead.
        rollouts: the names of those that lie over it, the oldest first.
        active: the one of them that has not ended.
        done: those that have succeeded and lie over nothing any more, because Git has gone on from the old version.
        contradiction: what Git changes that the active rollout moves, and what to do.
        previews: the preview lanes that lie over all of it, by name.
        refused: why others do not, by name.
        coming: the preview lanes of which it has the versions alone.
    """

    spec: LaneGroup
    rollouts: tuple[str, ...] = ()
    active: str | None = None
    done: tuple[str, ...] = ()
    contradiction: str | None = None
    previews: Mapping[str, Routed] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    coming: Mapping[str, Routed] = field(default_factory=dict)

    @property
    def lanes(self) -> tuple[Routed, ...]:
        """All preview lanes that it has anything of."""
        return (*self.previews.values(), *self.coming.values())


class ContradictedError(Exception):
    """Git changes what the active rollout moves. The message says what to do."""


def overlay(spec: LaneGroup, laid: Sequence[Laid]) -> Overlay:
    """What is wanted of a group.

    Parameters:
        spec: the group as Git says it. It compiles.
        laid: all rollouts of the group that can be read, in any order.
    """
    here, over, done = _settled(spec, laid)
    one = active(laid)
    if one is None:
        return Overlay(here, over, done=done)
    names, name = (*over, one.state.name), one.state.name
    try:
        group = _wanted(here, one, standing(one.state))
    except ContradictedError as error:
        return Overlay(_kept(here, one), names, name, done, str(error))
    return Overlay(group, names, name, done)


def may_lie(state: State) -> bool:
    """Whether a rollout may lie over its group: of those that have ended, few do."""
    return not state.phase.final or (state.phase is Phase.SUCCEEDED and not state.done)


def settled(spec: LaneGroup, laid: Sequence[Laid]) -> LaneGroup:
    """The group with what succeeded rollouts made of it: what the next one begins from."""
    return _settled(spec, laid)[0]


def wanted(spec: LaneGroup, laid: Sequence[Laid], one: Laid, change: GroupChange) -> LaneGroup:
    """The group that a change of the active rollout asks for. The way back leads to what Git says.

    Raises:
        ContradictedError: Git changes what the rollout moves.
    """
    return _wanted(_settled(spec, laid)[0], one, change)


def active(laid: Sequence[Laid]) -> Laid | None:
    """The rollout that has begun and not ended; of several the oldest, as one at a time may change a group."""
    begun = [one for one in laid if not one.state.phase.final and one.base is not None]
    return min(begun, key=_age, default=None)


def standing(state: State) -> GroupChange:
    """The change that an active rollout is making, or else the last one that it has made."""
    for action in resume(state).actions:
        if isinstance(action, Route | Retire | Scale):
            return action.change
    if state.applied_taken:
        return GroupChange(ChangeKind.TAKE_OVER, state.applied)
    return group_change(state, ChangeKind.WEIGHT, state.applied)


def to_commit(rollout: Rollout, base: LaneGroup, *, retired: bool) -> str:
    """What a person writes into the spec in Git once a rollout has succeeded.

    Parameters:
        base: the group that it began from.
        retired: the old versions are deleted.
    """
    found = []
    for service, move in rollout.spec.services.items():
        found.append(f"{_field(base, service, move)}: {move.to}")
        found += [f"no spec.services.{service}.versions.{move.from_}"] if retired else []
    return ", ".join(found)


def _field(group: LaneGroup, service: str, move: Move) -> str:
    """Where a group names the version of untagged requests."""
    lane = group.spec.tag.default
    of_lane = group.service(service).version_in(lane) == move.from_
    return f"spec.lanes.{lane}.versions.{service}" if of_lane else f"spec.services.{service}.default"


def _age(one: Laid) -> tuple[Any, str]:
    return one.state.begun, one.state.name


def _settled(spec: LaneGroup, laid: Sequence[Laid]) -> tuple[LaneGroup, tuple[str, ...], tuple[str, ...]]:
    """The group with all succeeded rollouts; the names of those that lie over it, and of those that do not any more."""
    here, over, done = spec, [], []
    succeeded = [one for one in laid if one.state.phase.final and may_lie(one.state)]
    for one in sorted(succeeded, key=_age):
        after = _succeeded(here, one.state)
        if after is None:
            done.append(one.state.name)
        else:
            here = after
            over.append(one.state.name)
    return here, tuple(over), tuple(done)


def _succeeded(here: LaneGroup, state: State) -> LaneGroup | None:
    """The group after a rollout, for the services that still have the old version; None where none has it."""
    rollout = state.rollout
    moves = {name: move for name, move in rollout.spec.services.items() if _still_old(here, name, move)}
    if not moves:
        return None
    part = rollout.model_copy(update={"spec": rollout.spec.model_copy(update={"services": moves})})
    before = set(problems(here, stored=True))
    # What Git leads to an old version elsewhere, such as a lane that is new, keeps that version.
    for change in (steps.ended, steps.taken_over) if state.old_retired else (steps.taken_over,):
        try:
            after = change(here, part)
        except ValidationError:
            continue
        if not set(problems(after, stored=True)) - before:
            return after
    return None


def _still_old(here: LaneGroup, service: str, move: Move) -> bool:
    found = here.spec.services.get(service)
    return found is not None and move.to in found.versions and untagged(here, service).keys() == {move.from_}


def untagged(group: LaneGroup, service: str) -> Mapping[str, int]:
    """The versions that untagged requests get where no rule says otherwise, each with its share."""
    here = group.service(service)
    weights = {name: one for name, one in (here.spec.weights or {}).items() if one}
    return weights or ({here.baseline: 100} if here.baseline else {})


def _wanted(here: LaneGroup, one: Laid, change: GroupChange) -> LaneGroup:
    rollout, base = one.state.rollout, one.base
    assert base is not None
    if change.kind is ChangeKind.BACK:
        return steps.at_weight(here, rollout, change.weight, _there(here, change))
    changed = list(_changes(here, base, rollout))
    if changed and not all(untagged(here, name).keys() == {move.to} for name, move in _known(here, rollout)):
        raise ContradictedError(_contradiction(rollout, ", ".join(changed)))
    try:
        ground = _as_begun(here, base, rollout, whole=False) if changed else here
        wrong = [f"{dotted(path)}: {said}" for path, said in check(rollout, ground)]
    except ValidationError as error:
        wrong = [str(error.errors()[0]["msg"])]
    if wrong:
        raise ContradictedError(_contradiction(rollout, "; ".join(wrong)))
    return steps.wanted(ground, rollout, change)


def _known(here: LaneGroup, rollout: Rollout) -> Iterator[tuple[str, Move]]:
    return ((name, move) for name, move in rollout.spec.services.items() if name in here.spec.services)


def _contradiction(rollout: Rollout, what: str) -> str:
    name, namespace = rollout.metadata.name, rollout.metadata.namespace
    versions = " and ".join(f"{move.to} of {service}" for service, move in rollout.spec.services.items())
    return (
        f"the LaneGroup contradicts the rollout ({what}), so nothing moves: take that change back, let the LaneGroup "
        f"lead all untagged requests to {versions}, or: graylane rollout abort {name} -n {namespace}"
    )


def _there(here: LaneGroup, change: GroupChange) -> dict[str, dict[str, int]]:
    """The numbers of Pods of the versions that the group has."""
    services = here.spec.services
    return {
        name: {version: count for version, count in counts.items() if version in services[name].versions}
        for name, counts in change.pods.items()
        if name in services
    }


def _changes(here: LaneGroup, base: LaneGroup, rollout: Rollout) -> Iterator[str]:
    """The fields by which a group differs, in what a rollout moves, from the one that it began from."""
    for name, move in rollout.spec.services.items():
        where = f"spec.services.{name}"
        if name not in here.spec.services:
            yield where
            continue
        now, then = here.spec.services[name], base.spec.services[name]
        for version in (move.from_, move.to):
            if _version(here, name, version) != _version(base, name, version):
                yield f"{where}.versions.{version}"
        if untagged(here, name) != untagged(base, name):
            yield f"{where}.weights" if now.weights else _field(base, name, move)
        elif _of_baseline(here, name) != _of_baseline(base, name):
            yield f"spec.lanes.{here.spec.tag.default}.versions.{name}"
        if now.rules != then.rules:
            yield f"{where}.rules"


def _of_baseline(group: LaneGroup, service: str) -> str | None:
    return group.service(service).version_in(group.spec.tag.default)


def _version(group: LaneGroup, service: str, version: str) -> Any:
    """A version but for its autoscaler, whose bounds a rollout moves from wherever they are."""
    found = group.spec.services[service].versions.get(version)
    return found.model_copy(update={"autoscale": None}) if found else None


def _kept(here: LaneGroup, one: Laid) -> LaneGroup:
    """What is applied of an active rollout that Git contradicts, with what Git says elsewhere as far as that fits."""
    rollout, base = one.state.rollout, one.base
    assert base is not None
    change = standing(one.state)
    try:
        after = steps.wanted(_as_begun(here, base, rollout, whole=True), rollout, change)
        if not problems(after, stored=True):
            return after
    except (ValidationError, NoCanaryLaneError, KeyError):
        pass
    return steps.wanted(base, rollout, change)


def _as_begun(here: LaneGroup, base: LaneGroup, rollout: Rollout, *, whole: bool) -> LaneGroup:
    """The group with the services of the rollout as they were when it began.

    Parameters:
        whole: each service with all its fields, and not only with its versions for untagged requests.
    """
    value, then = steps.as_value(here), steps.as_value(base)
    lane, lane_then = here.spec.tag.default, base.spec.tag.default
    for name, move in rollout.spec.services.items():
        if whole or name not in value["spec"]["services"]:
            value["spec"]["services"][name] = then["spec"]["services"][name]
        now, before = value["spec"]["services"][name], then["spec"]["services"][name]
        _copy(now, before, "default", "weights")
        _copy(now["versions"], {**before["versions"], **now["versions"]}, move.from_, move.to)
        versions = value["spec"]["lanes"][lane].setdefault("versions", {})
        _copy(versions, then["spec"]["lanes"][lane_then].get("versions", {}), name)
        if not versions:
            del value["spec"]["lanes"][lane]["versions"]
    return LaneGroup.model_validate(value)


def _copy(into: Value, source: Mapping[str, Any], *names: str) -> None:
    for name in names:
        into.pop(name, None)
        if name in source:
            into[name] = source[name]
