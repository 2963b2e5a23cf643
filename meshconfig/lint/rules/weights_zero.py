"""Weights that are all 0."""

from collections.abc import Iterator

from meshconfig.istio.destinations import weighted
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            if route.route and not weighted(route.route):
                count = len(route.route)
                yield Hit(owner, ("spec", "http", number, "route"), f"the weights of all {count} destinations are 0")


RULE = Rule(
    code="GL206",
    level=Level.ERROR,
    title="All weights of a route are 0.",
    fix="Give at least one destination a weight above 0.",
    why="Istio refuses the VirtualService; a destination without a weight counts as 0 beside others.",
    istio=("IST0106",),
    resources=check,
)
