"""Reports what could not be read, so that nobody takes the silence of a check for health."""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, warning
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for place, reason in snapshot.unread.items():
        fix = "Allow this account to read it (k8s/rbac), or look at it yourself."
        yield warning(str(place), f"not checked: {reason}", fix)
