"""The deletion of a group: its resources go in the order in which no request is lost, and then its finalizer."""

from contextlib import suppress
from functools import partial

from meshconfig.cluster import custom, history, lanegroups, previews, rollouts
from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import CustomObject, namespace_ends
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.errors import ApiError, Conflict
from meshconfig.spec import LaneGroup

FORBIDDEN, NOT_FOUND = 403, 404
HELD = (
    (lanegroups.KIND, lanegroups.FINALIZER),
    (previews.KIND, previews.FINALIZER),
    (rollouts.KIND, rollouts.FINALIZER),
)


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


def release(client: Client, namespace: str) -> None:
    """Takes graylane's finalizers from all that is being deleted in a namespace that ends.

    For a controller whose Lease was in that namespace: it went with the rest, none can be made there any more, and so
    nobody leads. Several controllers may do this at once, as nothing else is written.

    Raises:
        ClusterError: the API server does not answer.
    """

    def free(finalizer: str, one: CustomObject) -> None:
        with suppress(Conflict):  # somebody wrote it in between: the next time
            try:
                custom.drop_finalizer(client, one, finalizer)
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise

    for kind, finalizer in HELD:
        there = (CustomObject({"kind": kind, **one}) for one in client.list_resources(kind, namespace))
        held = [one for one in there if one.deleting and finalizer in one.finalizers]
        client.map_concurrently(partial(free, finalizer), held)


def _last(client: Client, one: GroupObject) -> LaneGroup | None:
    """What the group consisted of last; None if nothing was ever applied, or nobody can read what."""
    revisions = history.read(client, one.key.namespace, one.key.name).revisions
    last = history.last_applied(revisions) or (revisions[-1] if revisions else None)
    return last.spec if last else None
