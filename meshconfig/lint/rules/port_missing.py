"""A gateway's route to a Service of several ports that does not say which."""

from collections.abc import Iterator

from meshconfig.istio.gateways import at_gateways, gateway_name, routes_http
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses if index.services else ():
        # Between services the request has the port that the caller used, and the called Service has it.
        if use.destination.port.number is not None or not at_gateways(use.owner.spec.gateways):
            continue
        ports = index.ports(use.host)
        if len(ports) > 1:
            shown = ", ".join(map(str, ports))
            message = f"{use.host} has the ports {shown}: choose one by port.number"
            yield Hit(use.owner, use.path, message, Level.INFO if _has_all(index, use, ports) else None)


def _has_all(index: Index, use: Use, ports: frozenset[int]) -> bool:
    """Whether the Service has every port at which the gateways take requests."""
    names = [gateway_name(name, use.owner.namespace) for name in at_gateways(use.owner.spec.gateways)]
    if any(name not in index.gateways for name in names):
        return False
    servers = (server for name in names for server in index.gateways[name].spec.servers)
    return ports.issuperset(server.port.number for server in servers if routes_http(server) or not use.http)


RULE = Rule(
    code="GL106",
    level=Level.ERROR,
    title="A gateway's route to a Service of several ports does not name one.",
    fix="Give destination.port.number.",
    why="Istio uses the port at which the gateway took the request, such as 80. If the Service lacks it: 503 (NC).",
    istio=("IST0112",),
    needs=("Service",),
    resources=check,
)
