"""Two VirtualServices for one host of the mesh."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.istio.exports import meet, namespaces
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for host, owners in index.mesh_virtual_services.items():
        for owner in owners if len(owners) > 1 else ():
            other = next((one for one in owners if one is not owner and _overlap(owner, one)), None)
            if other:
                place = hosts_in_full(owner).index(host)
                message = f"{other} has the host {host} too, and between services Istio merges none"
                yield Hit(owner, ("spec", "hosts", place), message)


def _overlap(one: VirtualService, other: VirtualService) -> bool:
    """Is there a namespace that sees both?"""
    return meet(*(namespaces(each.spec.export_to, each.namespace) for each in (one, other)))


RULE = Rule(
    code="GL216",
    level=Level.ERROR,
    title="Two VirtualServices have the same host of the mesh.",
    fix="Put the routes into one VirtualService.",
    why="Sidecars use the routes of only one of them, usually the older. They ignore the other's.",
    istio=("IST0109",),
    kiali=("KIA1106",),
    resources=check,
)
