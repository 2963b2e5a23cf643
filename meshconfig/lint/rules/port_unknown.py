"""A route to a port that the Service does not have."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses:
        port, service = use.destination.port.number, index.services.get(use.host)
        if service and port is not None and all(port != one.port for one in service.spec.ports):
            ports = ", ".join(str(one.port) for one in service.spec.ports) or "none"
            yield Hit(use.owner, (*use.path, "port", "number"), f"{use.host} has no port {port}, it has {ports}")


RULE = Rule(
    code="GL107",
    level=Level.ERROR,
    title="A route leads to a port that the Service does not have.",
    fix="Give the Service's port, not the container's.",
    why="Envoy has no cluster for it: every request that takes the route is answered 503 (NC).",
    istio=("IST0101",),
    needs=("Service",),
    resources=check,
)
