"""A Service's versions that are chosen only under the host of another Service."""

from collections.abc import Iterator

from meshconfig.istio.gateways import at_gateways
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use, Uses, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for uses in index.uses_by_owner if index.services else ():
        for use in _elsewhere(index, uses):
            hosts = ", ".join(hosts_in_full(use.owner))
            message = f"these versions are chosen for callers of {hosts}; who calls {use.host} gets every version"
            yield Hit(use.owner, use.path, message)


def _elsewhere(index: Index, uses: Uses) -> Iterator[Use]:
    """The first destination of each Service of which several versions are chosen, and that has no routes of its own.

    Both Services have to be there, and none of the routes leads to the Service that they are for.
    """
    services = index.services.keys()
    if at_gateways(uses.owner.spec.gateways) or not services >= uses.hosts:
        return
    if any(use.host in uses.hosts for use in uses.all):
        return
    versions: dict[str, set[str]] = {}
    first: dict[str, Use] = {}
    for use in uses.all:
        versions.setdefault(use.host, set()).add(use.destination.subset)
        if use.http and use.destination.subset:
            first.setdefault(use.host, use)
    for host, use in first.items():
        if host in services and len(versions[host]) > 1 and host not in index.mesh_virtual_services:
            yield use


RULE = Rule(
    code="GL219",
    level=Level.WARNING,
    title="A Service's versions are chosen under the host of another Service only.",
    fix="Put the Service that is called, and whose versions these are, into hosts.",
    why="Sidecars look for a VirtualService by the host that was called. Routes under another host have no effect on "
    "calls to this one.",
    needs=("Service",),
    resources=check,
)
