"""What is left of a Lane whose finalizer somebody took off: it goes as at the end of a Lane, but no hook runs."""

from collections.abc import Callable, Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.controller.owned import GroupKey
from meshconfig.controller.previews import made
from meshconfig.controller.previews.index import LaneKey
from meshconfig.preview.clone import NAMESPACE, UID
from meshconfig.render import GROUP


def lane_of(manifest: Manifest) -> tuple[str, str]:
    """The namespace and the uid of the Lane object that something was made for; empty where it does not say."""
    annotations = manifest["metadata"].get("annotations") or {}
    return str(annotations.get(NAMESPACE, "")), str(annotations.get(UID, ""))


def take_away(
    client: Client, lane: LaneKey, namespaces: Iterable[str], unrouted: Callable[[GroupKey, str], bool]
) -> bool:
    """Deletes the Deployments and the Job before of a Lane that is not there, once no route leads to them.

    Parameters:
        namespaces: where Deployments of the Lane may be.
        unrouted: whether no route of a group leads to what was made for a Lane object of this uid.

    Returns:
        Whether any are left.

    Raises:
        ClusterError: as of the API server.
    """
    there = [*made.deployments(client, namespaces, lane[1]).values(), *made.jobs(client, *lane, "before")]
    left = [one for one in there if lane_of(one)[0] == lane[0]]
    for one in left:
        group = str((one["metadata"].get("labels") or {}).get(GROUP, ""))
        if not made.is_going(one) and unrouted((lane[0], group), lane_of(one)[1]):
            made.delete(client, one)
    return bool(left)
