"""A destination without a weight beside some that have one."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            if len(route.route) < 2 or not any(one.weight for one in route.route):
                continue
            for place, one in enumerate(route.route):
                if one.weight is None:
                    target = one.destination.subset or one.destination.host
                    path = ("spec", "http", number, "route", place)
                    yield Hit(owner, path, f"{target} has no weight beside others, so it gets no request")


RULE = Rule(
    code="GL220",
    level=Level.WARNING,
    title="A destination has no weight, and others of its route have one.",
    fix="Give each destination of the route a weight; write weight: 0 for one that is to get nothing.",
    why="Beside other destinations a missing weight counts as 0. The rest to 100 goes to nobody.",
    resources=check,
)
