"""Checks that the Gateways exist that entries use but graylane does not create."""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for number, entry in enumerate(snapshot.model.entries):
        if not snapshot.gateways.get(entry.gateway, True):
            fix = f"Create it, or correct spec.entries[{number}].gateway.use."
            yield error(
                f"Gateway {entry.gateway}", f"does not exist: nothing comes in for {', '.join(entry.hosts)}", fix
            )
