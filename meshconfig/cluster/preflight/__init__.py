"""Checks before the first write that the cluster has what the change needs. Each finding says how to fix it."""

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
    """Find everything that would make a change of this group fail, errors first. An error must stop the change.

    Parameters:
        needs: the permissions that the change needs, from `permissions`.

    Raises:
        ClusterError: the cluster does not answer.
    """
    return findings(look(client, model, needs))
