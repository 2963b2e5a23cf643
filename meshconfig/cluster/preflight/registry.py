"""All checks, in the order in which a user would fix their findings."""

from collections.abc import Callable, Iterator

from meshconfig.cluster.preflight import (
    denied,
    gateways,
    istio_api,
    namespaces,
    pods,
    ports,
    services,
    unread,
)
from meshconfig.cluster.preflight.finding import Finding
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot

Check = Callable[[ClusterSnapshot], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    istio_api.check,
    denied.check,
    namespaces.check,
    services.check,
    ports.check,
    pods.check,
    gateways.check,
    unread.check,
)


def findings(snapshot: ClusterSnapshot) -> list[Finding]:
    """The findings of all checks, errors first."""
    found = [finding for check in CHECKS for finding in check(snapshot)]
    return sorted(found, key=lambda finding: finding.level.rank)
