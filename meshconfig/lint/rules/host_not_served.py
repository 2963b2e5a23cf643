"""A VirtualService's host that none of its Gateways serves."""

from collections.abc import Iterator

from meshconfig.istio import MESH, Gateway, VirtualService
from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.unreachable import gateways_of


def check(index: Index) -> Iterator[Hit]:
    for owner in index.bound_to_gateways:
        names = [name for name in gateways_of(owner) if name != MESH]
        gateways = [index.gateways[name] for name in names if name in index.gateways]
        # A Gateway that is not here may serve what the others do not.
        if gateways and len(gateways) == len(names):
            yield from _unserved(index, owner, gateways)


def _unserved(index: Index, owner: VirtualService, gateways: list[Gateway]) -> Iterator[Hit]:
    servers = [index.servers(one.key, owner.namespace) for one in gateways]
    served = [any(any(True for _ in one.overlapping(host)) for one in servers) for host in owner.spec.hosts]
    if in_mesh(owner.spec.gateways) and any(served):
        return  # the others are for sidecars
    names = ", ".join(one.key for one in gateways)
    for number, host in enumerate(owner.spec.hosts):
        if not served[number]:
            yield Hit(owner, ("spec", "hosts", number), f"no server of Gateway {names} has the host {host}")


RULE = Rule(
    code="GL105",
    level=Level.WARNING,
    title="A VirtualService's host is served by none of its Gateways.",
    fix="Add the host to a server of the Gateway, or name a Gateway that serves it.",
    why="Requests for this host are answered 404 at the gateway.",
    istio=("IST0132",),
    needs=("Gateway",),
    resources=check,
)
