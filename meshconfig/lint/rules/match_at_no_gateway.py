"""A match for a Gateway that its VirtualService is not bound to."""

from collections.abc import Iterator

from meshconfig.istio.gateways import gateway_name
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.unreachable import gateways_of


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        if not owner.spec.hosts:
            continue  # a delegate has the gateways of its root
        bound = gateways_of(owner)
        for number, route in enumerate(owner.spec.http):
            for place, match in enumerate(route.match):
                if match.gateways and bound.isdisjoint(gateway_name(one, owner.namespace) for one in match.gateways):
                    path = ("spec", "http", number, "match", place, "gateways")
                    yield Hit(
                        owner, path, f"this never holds: the VirtualService is bound to {', '.join(sorted(bound))}"
                    )


RULE = Rule(
    code="GL226",
    level=Level.ERROR,
    title="A match names gateways that are not among the gateways of its VirtualService.",
    fix="Add the Gateway to the gateways of the VirtualService, or name one of those in match. Sidecars are mesh.",
    why="Istio gives a route to the gateways of the VirtualService only, and compares their names with those in match.",
    resources=check,
)
