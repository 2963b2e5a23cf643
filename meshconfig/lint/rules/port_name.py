"""A port of which Istio cannot tell the protocol."""

from collections.abc import Iterator

from meshconfig.istio.ports import HTTP, OTHER, protocol
from meshconfig.lint.finding import Level
from meshconfig.lint.index import SYSTEM_NAMESPACES, Index
from meshconfig.lint.rule import Hit, Rule

MANAGED = "gateway.istio.io/managed"  # Istio makes these itself, with protocols of its own


def check(index: Index) -> Iterator[Hit]:
    for service in index.resources.services:
        if service.namespace in SYSTEM_NAMESPACES or MANAGED in service.metadata.labels:
            continue
        for number, port in enumerate(service.spec.ports):
            if not protocol(port):
                field = "appProtocol" if port.app_protocol else "name"
                said = f"{field} {port.app_protocol or port.name}" if port.app_protocol or port.name else "no name"
                message = f"port {port.port} has {said}: Istio knows {', '.join(sorted(HTTP | OTHER))}"
                yield Hit(service, ("spec", "ports", number, field), message)


RULE = Rule(
    code="GL501",
    level=Level.INFO,
    title="A port's name does not follow `<protocol>[-suffix]`, and appProtocol does not name the protocol either.",
    fix="Name it http or http-SOMETHING (grpc, tcp, … for others), or set appProtocol.",
    why="Istio guesses from the first bytes. Without HTTP, no route applies; and gateways send HTTP/1.1.",
    istio=("IST0118",),
    kiali=("KIA0601", "KIA0602"),
    needs=("Service",),
    resources=check,
)
