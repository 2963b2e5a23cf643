"""Checks that the Services in the spec exist and have the port that it names."""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.errors import nearest

HINTS = 20  # the search for a similar name is slow among thousands; if more are missing, it is no typing mistake


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    hints = HINTS
    for service, (name, namespace) in snapshot.hosted():
        field = f"spec.services.{service.name}"
        live = snapshot.index.services.get(service.host)
        if live is None:
            hint = _hint(snapshot, name, namespace) if hints else ""
            hints = max(hints - 1, 0)
            yield error(f"Service {namespace}/{name}", f"does not exist{hint}", f"Create it, or correct {field}.host.")
        elif all(port.port != service.port for port in live.spec.ports):
            ports = ", ".join(str(port.port) for port in live.spec.ports) or "none"
            fix = f"Give the Service's port, not the container's, as {field}.port."
            yield error(str(live), f"has no port {service.port}, it has {ports}", fix)


def _hint(snapshot: ClusterSnapshot, name: str, namespace: str) -> str:
    return nearest(name, (one.name for one in snapshot.index.resources.services if one.namespace == namespace))
