"""A weight where there is nothing to weigh."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

ALL = 100


def check(index: Index) -> Iterator[Hit]:
    unreachable = {(id(owner), route.route) for owner, found in index.unreachable for route in found.routes}
    for at in index.http.weighted:
        weight = at.route.route[0].weight if len(at.route.route) == 1 else None
        # Of a route that never answers GL201 to GL203 say so.
        if weight is not None and weight != ALL and (id(at.owner), at.number) not in unreachable:
            path = (*at.path, "route", 0, "weight")
            yield Hit(at.owner, path, f"{weight} has no effect: the only destination gets every request")


RULE = Rule(
    code="GL207",
    level=Level.WARNING,
    title="The only destination of a route has a weight.",
    fix="Delete the weight, or add the destination that gets the rest.",
    why="A weight is a share among destinations: alone, 10 is 100 %, and 0 is 100 % as well.",
    kiali=("KIA1104",),
    resources=check,
)
