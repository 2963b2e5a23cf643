"""Before the first write: is the cluster as the change needs it? Each finding says how to mend it."""

from collections.abc import Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight.finding import Finding
from meshconfig.cluster.preflight.istio_api import istio_version
from meshconfig.cluster.preflight.look import look
from meshconfig.cluster.preflight.permission import Permission, permissions
from meshconfig.cluster.preflight.registry import findings
from meshconfig.model import Model

__all__ = ["Finding", "Permission", "istio_version", "permissions", "preflight"]


def preflight(client: Client, model: Model, needs: Iterable[Permission]) -> list[Finding]:
    """All that stands against a change of this group, errors first; with an error nothing should be written.

    Parameters:
        needs: what the change has to be allowed, from `permissions`.

    Raises:
        ClusterError: the cluster cannot be asked.
    """
    return findings(look(client, model, needs))
