"""A weight where there is nothing to weigh."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

ALL = 100


def check(index: Index) -> Iterator[Hit]:
    unreachable = {(id(owner), route.route) for owner, found in index.unreachable for route in found.routes}
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            weight = route.route[0].weight if len(route.route) == 1 else None
            # Of a route that never answers GL201 to GL203 say so.
            if weight is not None and weight != ALL and (id(owner), number) not in unreachable:
                path = ("spec", "http", number, "route", 0, "weight")
                yield Hit(owner, path, f"{weight} has no effect: the only destination gets every request")


RULE = Rule(
    code="GL207",
    level=Level.WARNING,
    title="The only destination of a route has a weight.",
    fix="Delete the weight, or add the destination that gets the rest.",
    why="A weight is a share among destinations: alone, 10 is 100 %, and 0 is 100 % as well.",
    kiali=("KIA1104",),
    resources=check,
)
