"""A route of the Gateway API that leads to nothing."""

from collections.abc import Iterator

from meshconfig.istio import ISTIO_GROUP
from meshconfig.istio.hosts import ServiceName
from meshconfig.lint.api_routes import BackendUse, backends
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for route in index.routes_of_gateway_api:
        for use in backends(route):
            if message := _missing(index, use, route.namespace):
                yield Hit(route, (*use.path, "name"), message)


def _missing(index: Index, use: BackendUse, namespace: str) -> str:
    one = use.reference
    if (one.group, one.kind) == (ISTIO_GROUP, "Hostname"):
        known = index.knows_host(one.name) is not False
        return "" if known else f"no ServiceEntry has the host {one.name}{index.known_hosts.nearest(one.name)}"
    if (one.group, one.kind) != ("", "Service"):
        return ""
    service = ServiceName(one.name, one.namespace or namespace)
    if index.knows_host(service.host) is False:
        near = index.known_hosts.nearest(service.host)
        return f"there is no Service {service.namespace}/{service.name}{near}"
    ports = index.ports(service.host)
    if one.port and ports and one.port not in ports:
        shown = ", ".join(map(str, sorted(ports)))
        return f"Service {service.namespace}/{service.name} has no port {one.port}: it has {shown}"
    return ""


RULE = Rule(
    code="GL801",
    level=Level.ERROR,
    title="An HTTPRoute leads to a Service that does not exist.",
    fix="Name a Service of the route's namespace and one of its ports, or give the backend its namespace.",
    why="Gateway API answers 500 for the share of such a backend, and nothing else says so to the client.",
    resources=check,
)
