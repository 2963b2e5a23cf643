"""A route to a Service of several ports that does not say which."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses:
        service = index.services.get(use.host)
        if service and use.destination.port.number is None and len(service.spec.ports) > 1:
            ports = ", ".join(str(port.port) for port in service.spec.ports)
            yield Hit(use.owner, use.path, f"{use.host} has the ports {ports}: choose one by port.number")


RULE = Rule(
    code="GL106",
    level=Level.ERROR,
    title="A Service has several ports, and the route does not name one.",
    fix="Give destination.port.number.",
    why="Istio uses the port that the caller used: at a gateway, 80, which the Service may not have (503).",
    istio=("IST0112",),
    needs=("Service",),
    resources=check,
)
