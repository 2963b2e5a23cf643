"""One of a route's OR-ed matches that adds nothing."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.messages import unreachable_matches
from meshconfig.lint.shadowing.unreachable import Reason


def check(index: Index) -> Iterator[Hit]:
    for reason in (Reason.SWALLOWED, Reason.CATCH_ALL):
        for owner, path, earlier in unreachable_matches(index, reason):
            yield Hit(owner, path, f"this match adds nothing: {earlier} takes all of its requests before it")


RULE = Rule(
    code="GL204",
    level=Level.INFO,
    title="One of several matches adds nothing to those before it.",
    fix="Delete it, or move it before the wider one if another route was meant for it.",
    why="It is harmless if both lead to the same route, but it was often meant for another one.",
    istio=("IST0131",),
    resources=check,
)
