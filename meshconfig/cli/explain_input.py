"""What `graylane explain` and `graylane test` read: files, and what a cluster has."""

from collections.abc import Sequence

from meshconfig.cli.common import needs, readable
from meshconfig.explain import NOTHING, Cluster, Given, given_by
from meshconfig.load import load
from meshconfig.spec.group import BackendName


def read(files: Sequence[str], namespace: str, cluster: Cluster = NOTHING, backend: BackendName | None = None) -> Given:
    """Reads specs and manifests. A resource of a file takes the place of the cluster's of the same name.

    Parameters:
        files: files, directories, or `-`.
        namespace: the namespace of manifests that name none.
        backend: replaces that of each spec; None to keep it.

    Raises:
        InputError: a file cannot be read, or a document in it is neither a manifest nor a valid spec.
    """
    return given_by(readable(load(files), files) if files else [], files, namespace, cluster, backend)


def read_cluster(context: str | None, namespace: str | None) -> Cluster:
    """What a cluster has: one namespace and Istio's own, or all of them for None."""
    from meshconfig.cli.cluster import connect

    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster.snapshot import read_routing
    found = read_routing(client, namespace)
    return Cluster(found.manifests, found.whole, found.notes)
