"""Checks before the first write that the cluster has what the change needs. Each finding says how to fix it."""

from collections.abc import Callable, Iterable, Iterator

from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight import access, gateway_api, gateways, istio_api, namespaces, pods, ports, services
from meshconfig.cluster.preflight.finding import Finding
from meshconfig.cluster.preflight.istio_api import istio_version
from meshconfig.cluster.preflight.look import look
from meshconfig.cluster.preflight.permission import Permission, permissions
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.model import Model

__all__ = ["Finding", "Permission", "istio_version", "permissions", "preflight"]

Check = Callable[[ClusterSnapshot], Iterator[Finding]]

# In the order in which a user would fix the findings.
CHECKS: tuple[Check, ...] = (
    istio_api.check,
    gateway_api.check,
    access.denied,
    namespaces.check,
    services.check,
    ports.check,
    pods.check,
    gateways.check,
    access.unread,
)


def preflight(client: Client, model: Model, needs: Iterable[Permission]) -> list[Finding]:
    """Find everything that would make a change of this group fail, errors first. An error must stop the change.

    Parameters:
        needs: the permissions that the change needs, from `permissions`.

    Raises:
        ClusterError: the cluster does not answer.
    """
    snapshot = look(client, model, needs)
    found = [finding for check in CHECKS for finding in check(snapshot)]
    return sorted(found, key=lambda finding: finding.level.rank)
