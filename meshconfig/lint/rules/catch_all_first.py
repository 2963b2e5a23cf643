"""A route behind one that takes every request."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.messages import unreachable_routes
from meshconfig.lint.shadowing.unreachable import Reason


def check(index: Index) -> Iterator[Hit]:
    for owner, path, earlier in unreachable_routes(index, Reason.CATCH_ALL):
        yield Hit(owner, path, f"this route never answers: {earlier} takes every request before it")


RULE = Rule(
    code="GL201",
    level=Level.ERROR,
    title="A route stands behind one that takes every request.",
    fix="Put the route that takes every request last: one without a match, or for the path /. To split requests by "
    "weights, give one route several destinations.",
    why="Envoy takes the first route that matches: whatever follows a route without a match never answers.",
    istio=("IST0130",),
    resources=check,
)
