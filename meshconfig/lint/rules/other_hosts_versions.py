"""A Service's versions that are chosen only under the host of another Service."""

from collections.abc import Iterator

from meshconfig.istio.gateways import at_gateways
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    told: set[tuple[int, str]] = set()
    for use in index.uses if index.services else ():
        if not use.http or not use.destination.subset or use.host not in index.services:
            continue
        key = (id(use.owner), use.host)
        if key not in told and _is_elsewhere(index, use):
            told.add(key)
            hosts = ", ".join(hosts_in_full(use.owner))
            message = f"these versions are chosen for callers of {hosts}; who calls {use.host} gets every version"
            yield Hit(use.owner, use.path, message)


def _is_elsewhere(index: Index, use: Use) -> bool:
    """Are both Services there, several versions chosen, and none of the routes for the Service that has them?"""
    hosts = hosts_in_full(use.owner)
    services = index.services.keys()
    if at_gateways(use.owner.spec.gateways) or not services >= {*hosts}:
        return False
    uses = index.uses_of(use.owner)
    versions = {one.destination.subset for one in uses if one.host == use.host}
    own = any(one.host in hosts for one in uses)
    return len(versions) > 1 and not own and use.host not in index.mesh_virtual_services


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
