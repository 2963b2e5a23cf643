"""A Gateway's port that the Service of the gateway does not lead to."""

from collections.abc import Iterator, Mapping

from meshconfig.istio import Service
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

Selector = frozenset[tuple[str, str]]


def check(index: Index) -> Iterator[Hit]:
    known: dict[Selector, list[Service]] = {}
    for gateway in index.resources.gateways:
        selector = frozenset(gateway.spec.selector.items())
        if selector not in known:
            known[selector] = [one for one in index.resources.services if _leads_to(index, one, gateway.spec.selector)]
        services = known[selector]
        open_ports = {port for service in services for port in _ports(service)}
        for number, server in enumerate(gateway.spec.servers if services else ()):
            if server.port.number not in open_ports:
                names = ", ".join(f"{one.key} ({_shown(one)})" for one in services)
                message = f"port {server.port.number} is not among the ports of Service {names}"
                yield Hit(gateway, ("spec", "servers", number, "port", "number"), message)


def _leads_to(index: Index, service: Service, selector: Mapping[str, str]) -> bool:
    """Whether the Service selects Pods of the gateway, as its selector or the given Pod templates show."""
    own = service.spec.selector
    if not own or not selector:
        return False
    if selector.items() <= own.items():
        return True
    fits = all(own.get(name, value) == value for name, value in selector.items())
    return fits and index.pods.selected(service.namespace, {**own, **selector})


def _ports(service: Service) -> Iterator[int]:
    for port in service.spec.ports:
        yield port.port
        if isinstance(port.target_port, int):
            yield port.target_port


def _shown(service: Service) -> str:
    ports = service.spec.ports
    return ", ".join(f"{one.port} → {one.target_port}" if one.target_port else str(one.port) for one in ports)


RULE = Rule(
    code="GL405",
    level=Level.WARNING,
    title="A Gateway's port is not among the ports of the gateway's Service.",
    fix="Use a port of the Service, or add the port to the Service.",
    why="The proxy listens on the port, and nothing from outside reaches it: connections are refused.",
    istio=("IST0162",),
    needs=("Service",),
    resources=check,
)
