"""A match for a Gateway that its VirtualService is not bound to."""

from collections.abc import Iterator

from meshconfig.istio.gateways import gateway_name
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.unreachable import gateways_of


def check(index: Index) -> Iterator[Hit]:
    for at in index.http.matches("gateways"):
        owner, named = at.owner, at.match.gateways
        if not named or not owner.spec.hosts:
            continue  # a delegate has the gateways of its root
        bound = gateways_of(owner)
        if bound.isdisjoint(gateway_name(one, owner.namespace) for one in named):
            message = f"this never holds: the VirtualService is bound to {', '.join(sorted(bound))}"
            yield Hit(owner, (*at.path, "gateways"), message)


RULE = Rule(
    code="GL226",
    level=Level.ERROR,
    title="A match names gateways that are not among the gateways of its VirtualService.",
    fix="Add the Gateway to the gateways of the VirtualService, or name one of those in match. Sidecars are mesh.",
    why="Istio gives a route to the gateways of the VirtualService only, and compares their names with those in match.",
    resources=check,
)
