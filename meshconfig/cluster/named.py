"""Reads resources by their names, so that what one group costs does not grow with what others have in its namespace."""

from collections import Counter
from collections.abc import Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key

FEW = 6  # names of one kind in one namespace; where more are asked for, one list of the whole namespace is faster


def named(client: Client, names: Iterable[Key], *, istio_api: str = "v1") -> dict[Key, Manifest]:
    """Those of the resources that are there, whosever they are. They take no other right than `list`.

    Parameters:
        istio_api: the API version of Istio's kinds.

    Raises:
        ClusterError: the API server does not answer, or refuses.
    """
    wanted = frozenset(names)
    counts = Counter((one.kind, one.namespace) for one in wanted)
    asked = [one for one in wanted if counts[one.kind, one.namespace] <= FEW]
    asked += [Key(*place, "") for place, count in counts.items() if count > FEW]
    lists = client.map_concurrently(
        lambda one: client.list_resources(one.kind, one.namespace, name=one.name, istio_api=istio_api), sorted(asked)
    )
    found = {key(manifest): manifest for manifests in lists for manifest in manifests}
    return {name: one for name, one in found.items() if name in wanted}
