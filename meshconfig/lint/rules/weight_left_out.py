"""A destination without a weight beside some that have one."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for at in index.http.weighted:
        # Where no weight is above 0, GL206 says so.
        for place, one in enumerate(at.route.route if any(one.weight for one in at.route.route) else ()):
            if one.weight is None:
                target = one.destination.subset or one.destination.host
                path = (*at.path, "route", place)
                yield Hit(at.owner, path, f"{target} has no weight beside others, so it gets no request")


RULE = Rule(
    code="GL220",
    level=Level.WARNING,
    title="A destination has no weight, and others of its route have one.",
    fix="Give each destination of the route a weight; write weight: 0 for one that is to get nothing.",
    why="Beside other destinations a missing weight counts as 0. The rest to 100 goes to nobody.",
    resources=check,
)
