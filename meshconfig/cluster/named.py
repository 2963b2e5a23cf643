"""Reads resources by their names, so that what one group costs does not grow with what others have in its namespace."""

import re
from collections import Counter
from collections.abc import Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key

_NAME = re.compile("[a-z0-9]([-a-z0-9.]*[a-z0-9])?")  # of a resource; what is stored of others may name anything
FEW = 6  # names of one kind in one namespace; where more are asked for, one list of the whole namespace is faster


def crowded(names: Iterable[Key]) -> frozenset[tuple[str, str]]:
    """The kinds and namespaces of which more than a few are named."""
    counts = Counter((one.kind, one.namespace) for one in frozenset(names))
    return frozenset(place for place, count in counts.items() if count > FEW)


def named(client: Client, names: Iterable[Key], selector: str = "", *, istio_api: str = "v1") -> dict[Key, Manifest]:
    """Those of the resources that are there, whosever they are. They take no other right than `list`.

    An API server reads one object for a name. For labels, it may have to read and decode all of the kind.

    Parameters:
        selector: labels; of crowded kinds, only resources that have these are found.
        istio_api: the API version of Istio's kinds.

    Raises:
        ClusterError: the API server does not answer, or refuses.
    """
    wanted = frozenset(one for one in names if _NAME.fullmatch(one.name))
    many = crowded(wanted)
    asked = [(*place, selector, "") for place in many]
    asked += [(one.kind, one.namespace, "", one.name) for one in wanted if (one.kind, one.namespace) not in many]
    lists = client.map_concurrently(
        lambda one: client.list_resources(*one[:3], name=one[3], istio_api=istio_api), sorted(asked)
    )
    found = {key(manifest): manifest for manifests in lists for manifest in manifests}
    return {name: one for name, one in found.items() if name in wanted}
