"""Are the Services of the spec there, with the port that it names?"""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.seen import Seen
from meshconfig.errors import nearest

HINTS = 20  # looking for the nearest name takes long among thousands; who misses many more has another mistake


def check(seen: Seen) -> Iterator[Finding]:
    hints = HINTS
    for service, namespace in seen.hosted():
        field = f"spec.services.{service.name}"
        live = seen.index.services.get(service.host)
        if live is None:
            name = service.host.partition(".")[0]
            hint = _hint(seen, name, namespace) if hints else ""
            hints = max(hints - 1, 0)
            yield error(f"Service {namespace}/{name}", f"does not exist{hint}", f"Create it, or correct {field}.host.")
        elif all(port.port != service.port for port in live.spec.ports):
            ports = ", ".join(str(port.port) for port in live.spec.ports) or "none"
            fix = f"Give the Service's port, not the container's, as {field}.port."
            yield error(str(live), f"has no port {service.port}, it has {ports}", fix)


def _hint(seen: Seen, name: str, namespace: str) -> str:
    return nearest(name, (one.name for one in seen.index.resources.services if one.namespace == namespace))
