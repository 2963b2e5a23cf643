"""Are the Services of the spec there, with the port that it names?"""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.seen import Seen
from meshconfig.errors import nearest


def check(seen: Seen) -> Iterator[Finding]:
    for service, namespace in seen.hosted():
        field = f"spec.services.{service.name}"
        live = seen.index.services.get(service.host)
        if live is None:
            names = [one.name for one in seen.index.resources.services if one.namespace == namespace]
            name = service.host.partition(".")[0]
            message = f"does not exist{nearest(name, names)}"
            yield error(f"Service {namespace}/{name}", message, f"Create it, or correct {field}.host.")
        elif all(port.port != service.port for port in live.spec.ports):
            ports = ", ".join(str(port.port) for port in live.spec.ports) or "none"
            fix = f"Give the Service's port, not the container's, as {field}.port."
            yield error(str(live), f"has no port {service.port}, it has {ports}", fix)
