"""What lies over the LaneGroup object of a group: its rollouts, and over these its preview lanes."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from meshconfig.bounded import clip
from meshconfig.cluster import lanegroups
from meshconfig.cluster.change import Prepared, Wanted, check_states, prepare
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import BlockedError
from meshconfig.errors import ApiError, InputError
from meshconfig.preview import beside as previews
from meshconfig.preview.aside import culprits
from meshconfig.preview.overlay import NOBODY, Previewed, with_previews
from meshconfig.rollout import overlay, steps, store
from meshconfig.rollout.actions import ChangeKind, GroupChange
from meshconfig.rollout.overlay import ContradictedError, Overlay
from meshconfig.rollout.state import LONGEST_WHY, Obstacle
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup

FORBIDDEN = 403
CONTRADICTED, NO_GROUP, INVALID_GROUP = "ContradictedByGit", "NoGroup", "InvalidGroup"  # reasons


class HinderedError(Exception):
    """A change of the group cannot be made now. `obstacle` says why, and what a person does about it."""

    def __init__(self, reason: str, message: str) -> None:
        self.obstacle = Obstacle(reason=reason, message=clip(message, LONGEST_WHY))
        super().__init__(message)


def overlaid(client: Client, spec: LaneGroup, aside: Mapping[str, str] = NOBODY) -> Overlay:
    """What is wanted of a group with its rollouts and preview lanes, as they are in the cluster. One call for a dozen
    rollouts of the namespace, and one for the lanes. A rollout that cannot be read lies over nothing.

    Parameters:
        spec: the group as its LaneGroup object says it. It compiles.
        aside: why some of its preview lanes are set aside, by name.
    """
    namespace, name = spec.metadata.namespace, spec.metadata.name
    found = overlay.overlay(spec, laid(client, namespace, name))
    over = with_previews(found.spec, previews.routed(client, namespace, name), aside)
    return replace(found, spec=over.spec, previews=over.over, refused=over.refused, coming=over.coming)


def planned(client: Client, wanted: Wanted, noted: Callable[[str], object]) -> Prepared | None:
    """The plan that a controller would carry out; None where the caller may not read the mesh.

    Parameters:
        wanted: as the LaneGroup object will say it. What lies over it is laid over it here, so that it stays.
        noted: gets the reason why there is no plan, or why it does not count what lies over the group.

    Raises:
        ClusterError: the change is not possible.
    """
    over = Overlay(wanted.spec)
    aside: dict[str, str] = {}
    while True:
        if not wanted.gone:
            try:
                over = overlaid(client, wanted.spec, aside)
            except ApiError as error:
                if error.status != FORBIDDEN:
                    raise
                noted(f"the plan does not count rollouts and preview lanes: {error}")
        try:
            prepared = prepare(client, replace(wanted, spec=over.spec))
        except BlockedError as error:
            aside |= culprits(error, over.spec, over.lanes)
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            noted(f"the plan is not shown: {error}")
            return None
        else:
            check_states(prepared)
            return prepared


def laid(client: Client, namespace: str, group: str) -> list[Record]:
    """The rollouts of a group that can be read and may lie over it, the oldest first."""
    return store.records(client, namespace, group=group, counts=overlay.may_lie, wrong=lambda error: None)


def wanted(client: Client, record: Record, change: GroupChange, aside: Mapping[str, str] = NOBODY) -> Previewed | None:
    """The group that a change of a rollout asks for; None where there is no group any more to take requests back in.

    Parameters:
        aside: why some of the group's preview lanes are set aside, by name.

    Raises:
        HinderedError: Git changes what the rollout moves, or the LaneGroup object is gone or not valid.
    """
    base = record.base
    assert base is not None
    found = lanegroups.read(client, record.namespace, record.group)
    if found is None and not record.state.lanegroup:
        return Previewed(steps.wanted(base, record.state.rollout, change))
    if found is None or found.deleting:
        if change.kind is ChangeKind.BACK:
            return None
        raise HinderedError(NO_GROUP, f"LaneGroup {record.group} is gone: apply it again, or {_abort(record)}")
    try:
        spec = found.spec()
    except InputError as error:
        said = "; ".join(f"{one.path}: {one.message}" for one in error.problems)
        raise HinderedError(INVALID_GROUP, f"LaneGroup {record.group} is not valid: {said}") from None
    try:
        moved = overlay.wanted(spec, laid(client, record.namespace, record.group), record, change)
        return with_previews(moved, previews.routed(client, record.namespace, record.group), aside)
    except ContradictedError as error:
        raise HinderedError(CONTRADICTED, str(error)) from None


def obstacle(client: Client, record: Record) -> Obstacle | None:
    """What keeps an active rollout from changing its group now."""
    try:
        wanted(client, record, overlay.standing(record.state))
    except HinderedError as error:
        return error.obstacle
    return None


def is_done(client: Client, record: Record) -> bool:
    """Whether a succeeded rollout lies over nothing any more: Git has gone on from the old versions, or there is no
    LaneGroup object that it could lie over."""
    found = lanegroups.read(client, record.namespace, record.group)
    if found is None:
        return True
    try:
        spec = found.spec()
    except InputError:
        return False
    return record.name in overlay.overlay(spec, laid(client, record.namespace, record.group)).done


def group_is_gone(client: Client, record: Record) -> bool:
    """Whether the LaneGroup object that a rollout began from is deleted, or about to be."""
    if not record.state.lanegroup:
        return False
    found = lanegroups.read(client, record.namespace, record.group)
    return found is None or found.deleting


def _abort(record: Record) -> str:
    return f"graylane rollout abort {record.name} -n {record.namespace}"
