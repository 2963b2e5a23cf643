"""A route that delegates to a VirtualService that cannot be one's delegate."""

from collections.abc import Iterator, Mapping

from meshconfig.istio import VirtualService
from meshconfig.istio.exports import visible
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.names import Names
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    delegating = index.http.routes("delegate")
    others = {one.key: one for one in index.resources.virtual_services} if delegating else {}
    names = Names(index.delegates)
    places = {one.namespace for one in index.delegates.values()}
    for at in delegating:
        owner, delegate = at.owner, at.route.delegate
        if delegate is not None:
            name = f"{delegate.namespace or owner.namespace}/{delegate.name}"
            if wrong := _wrong(owner, name, others):
                yield Hit(owner, (*at.path, "delegate"), wrong)
            elif name not in others and name.partition("/")[0] in places:
                message = f"there is no VirtualService {name} without hosts{names.nearest(name)}"
                yield Hit(owner, (*at.path, "delegate"), message)


def _wrong(owner: VirtualService, name: str, others: Mapping[str, VirtualService]) -> str:
    """Why the VirtualService of this name is no delegate; empty where it is one, or is not there."""
    other = others.get(name)
    if other is None:
        return ""
    if other.spec.hosts:
        return f"VirtualService {name} has hosts, and a delegate has none"
    if not visible(other.spec.export_to, other.namespace, owner.namespace):
        return f"VirtualService {name} is not exported to {owner.namespace}: see its exportTo"
    return ""


RULE = Rule(
    code="GL113",
    level=Level.ERROR,
    title="A route delegates to a VirtualService that does not exist or cannot be a delegate.",
    fix="Name the delegate by name and namespace; a delegate has no hosts and is exported to the root's namespace.",
    why="Istio leaves the route out: its requests go to a later route, or get 404.",
    needs=("VirtualService",),
    resources=check,
)
