"""A route to a port that the Service does not have."""

from collections.abc import Iterator

from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use, Uses
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for uses in index.uses_by_owner if index.services else ():
        checked = [use for use in uses.all if index.has_ports(use.host)]
        called = _called(index, uses) if any(use.destination.port.number is None for use in checked) else frozenset()
        for use in checked:
            if hit := _wrong(use, index.ports(use.host), called):
                yield hit


def _wrong(use: Use, ports: frozenset[int], called: frozenset[int]) -> Hit | None:
    port = use.destination.port.number
    if port is not None and port not in ports:
        message = f"{use.host} has no port {port}, it has {_shown(ports)}"
        return Hit(use.owner, (*use.path, "port", "number"), message)
    # A sidecar keeps the caller's port.
    if port is None and called and ports.isdisjoint(called):
        message = f"requests to port {_shown(called)} go on to this port of {use.host}, which has {_shown(ports)}"
        return Hit(use.owner, use.path, message)
    return None


def _called(index: Index, uses: Uses) -> frozenset[int]:
    """The ports of the called Services; empty where not all of them are known."""
    if not in_mesh(uses.owner.spec.gateways) or not all(map(index.has_ports, uses.hosts)):
        return frozenset()
    return frozenset(port for host in uses.hosts for port in index.ports(host))


def _shown(ports: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"


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
