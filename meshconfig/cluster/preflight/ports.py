"""Checks that Istio treats each port as HTTP, because it reads no headers of other protocols."""

from collections.abc import Iterator

from meshconfig.cluster.preflight.finding import Finding, error, warning
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.istio import ServicePort
from meshconfig.istio.ports import HTTP, protocol


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for service, live in snapshot.found():
        for number, port in enumerate(live.spec.ports):
            found = protocol(port)
            if port.port != service.port or found in HTTP:
                continue
            fix = (
                f"kubectl patch service {live.name} -n {live.namespace} --type json "
                f'-p \'[{{"op": "add", "path": "/spec/ports/{number}/appProtocol", "value": "http"}}]\''
            )
            if found:
                message = f"port {port.port} is {found} to Istio ({_said(port)}): no route here is ever asked"
                yield error(str(live), message, fix)
            else:
                message = (
                    f"port {port.port} has {_said(port)}, so Istio guesses from the first bytes whether it is HTTP"
                )
                yield warning(str(live), message, fix)


def _said(port: ServicePort) -> str:
    """The field of a port from which Istio derived the protocol."""
    if port.protocol == "UDP":
        return "protocol UDP"
    return f"appProtocol {port.app_protocol}" if port.app_protocol else f"name {port.name}" if port.name else "no name"
