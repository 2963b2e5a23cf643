"""Who changes a group: the controller, by the group's LaneGroup object, or whoever wants the change.

Where the cluster has an object of the group, a change is written into it. Where it has none, the mesh is changed.
"""

from dataclasses import dataclass

from meshconfig.cluster import object_write
from meshconfig.cluster.change import Wanted
from meshconfig.cluster.client import Client
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.object_write import CheckedWrite
from meshconfig.cluster.objects import Manifest
from meshconfig.errors import ClusterError


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change of a group that may begin.

    Parameters:
        live: the group's object; None if the cluster has none.
        checked: the write of the object; None without one, and if it is to be deleted.
    """

    wanted: Wanted
    live: GroupObject | None = None
    checked: CheckedWrite | None = None


def of(client: Client, wanted: Wanted, document: Manifest, live: GroupObject | None, *, adopt: bool) -> GroupChange:
    """A change of a group. Nothing is written.

    Parameters:
        document: the group as an object.
        live: its object, just read; None if the cluster has none.
        adopt: take over what others own of the object.

    Raises:
        ClusterError: the object may not be changed as it is wanted.
    """
    if live is None:
        return GroupChange(wanted)
    if wanted.gone:
        _check_end(live, wanted)
        return GroupChange(wanted, live)
    if live.deleting:
        raise ClusterError(f"nothing was written: {live.key} is being deleted; try again once it has gone")
    return GroupChange(wanted, live, object_write.check(client, live, document, adopt=adopt))


def _check_end(live: GroupObject, wanted: Wanted) -> None:
    """
    Raises:
        ClusterError: the object cannot be deleted for this, or Git would make it anew.
    """
    object_write.check_git(live)
    if wanted.stored:
        what = "gives back what --adopt took over" if wanted.restored else "is the deletion of the group"
        first = f"kubectl delete lanegroups.graylane.dev {live.key.name} -n {live.key.namespace}"
        then = ", then this command again" if wanted.restored else ""
        raise ClusterError(f"nothing was written: {wanted.action} {what}, and {live.key} is there: {first}{then}")
