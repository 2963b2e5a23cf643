"""A route to a port that the Service does not have."""

from collections.abc import Iterator

from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses if index.services else ():
        if not index.has_ports(use.host):
            continue
        port, ports = use.destination.port.number, index.ports(use.host)
        shown = ", ".join(map(str, sorted(ports))) or "none"
        if port is not None and port not in ports:
            yield Hit(use.owner, (*use.path, "port", "number"), f"{use.host} has no port {port}, it has {shown}")
        elif port is None and (called := _called_in_vain(index, use, ports)):
            message = f"requests to port {called} go on to this port of {use.host}, which has {shown}"
            yield Hit(use.owner, use.path, message)


def _called_in_vain(index: Index, use: Use, ports: frozenset[int]) -> str:
    """The ports of the called Services, where the destination has none of them: a sidecar keeps the caller's port."""
    if not in_mesh(use.owner.spec.gateways):
        return ""
    hosts = hosts_in_full(use.owner)
    called = {port for host in hosts for port in index.ports(host)}
    known = all(index.has_ports(host) for host in hosts)
    return ", ".join(map(str, sorted(called))) if known and called and not called & ports else ""


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
