"""A VirtualService and an HTTPRoute for one host between services."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for one in index.gateway_api.attached:
        if one.gateway or one.why:
            continue
        for host in one.hosts:
            for other in index.mesh_virtual_services.get(host, ()):
                message = f"{one.route} routes {host} between services too, and Istio takes the older of the two"
                yield Hit(other, ("spec", "hosts"), message)


RULE = Rule(
    code="GL804",
    level=Level.ERROR,
    title="A VirtualService and an HTTPRoute route one host between services.",
    fix="Keep one of the two. `graylane render --backend` writes a whole group in either form.",
    why="Istio does not merge them: sidecars use the older resource alone, and the other one has no effect.",
    resources=check,
)
