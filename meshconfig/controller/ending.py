"""The deletion of a group: its resources go in the order in which no request is lost, and then its finalizer."""

from meshconfig.cluster import history
from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import namespace_ends
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.errors import ApiError
from meshconfig.spec import LaneGroup

FORBIDDEN, NOT_FOUND = 403, 404


def end(client: Client, one: GroupObject, choices: Choices, watcher: Watcher) -> None:
    """Takes a group out of the mesh: entries first, then routes, then subsets.

    Where the namespace ends, the API server deletes all that is in it at once and takes nothing new, neither a lock nor
    a revision. No order can be kept then, and the finalizer does not hold the namespace up.

    Raises:
        ClusterError: as `carry_out`.
    """
    if namespace_ends(client, one.key.namespace):
        return
    spec = _last(client, one)
    if spec is None:  # nothing was ever applied
        return
    wanted = Wanted(one.key.name, one.key.namespace, spec, history.DELETE, gone=True, by_rollout=True, stored=True)
    try:
        carry_out(client, wanted, choices, watcher)
    except ApiError as error:
        if error.status in (FORBIDDEN, NOT_FOUND) and namespace_ends(client, one.key.namespace):
            return
        raise


def _last(client: Client, one: GroupObject) -> LaneGroup | None:
    """What the group consisted of last; None if nothing was ever applied, or nobody can read what."""
    revisions = history.read(client, one.key.namespace, one.key.name).revisions
    last = history.last_applied(revisions) or (revisions[-1] if revisions else None)
    return last.spec if last else None
