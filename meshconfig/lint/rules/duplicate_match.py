"""A match that stands a second time."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.messages import unreachable_matches, unreachable_routes
from meshconfig.lint.shadowing.unreachable import Reason


def check(index: Index) -> Iterator[Hit]:
    for owner, path, earlier in unreachable_routes(index, Reason.SAME):
        yield Hit(owner, path, f"this route never answers: {earlier} has the same match")
    for owner, path, earlier in unreachable_matches(index, Reason.SAME):
        yield Hit(owner, path, f"this match is never reached: {earlier} is the same")


RULE = Rule(
    code="GL202",
    level=Level.WARNING,
    title="Two routes or matches have the same conditions.",
    fix="Delete the second one, or correct its conditions.",
    why="Envoy takes the first route that matches: the second never answers.",
    istio=("IST0130", "IST0131"),
    resources=check,
)
