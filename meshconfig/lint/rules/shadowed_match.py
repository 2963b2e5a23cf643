"""A match that an earlier, wider one has swallowed: `gray.*` before `gray`. Istio and Kiali do not look for it."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.messages import unreachable_routes
from meshconfig.lint.shadowing.unreachable import Reason


def check(index: Index) -> Iterator[Hit]:
    for owner, path, earlier in unreachable_routes(index, Reason.SWALLOWED):
        yield Hit(owner, path, f"this route never answers: {earlier} takes all of its requests before it")


RULE = Rule(
    code="GL203",
    level=Level.ERROR,
    title="An earlier, wider match takes all requests of a route.",
    fix="Put the narrower match first: exact before prefix and regex, and those before mere presence.",
    why="Envoy takes the first route that matches: the version behind the later route never gets a request, and "
    "nothing else says so.",
    resources=check,
)
