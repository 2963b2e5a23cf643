"""A delegate's route that pilot leaves out, because it is not within the route that delegates."""

from collections.abc import Iterator

from meshconfig.istio.routes import routes
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    delegates = index.delegates
    for root in index.http.owners_of_routes("delegate"):
        for one in routes(root, delegates):
            if one.ignored is not None and one.ref.delegate_index is not None:
                place = f"{root} http[{one.ref.index}]"
                message = f"this route never answers requests of {place}: its match is not within the match there"
                yield Hit(delegates[one.ref.delegate], ("spec", "http", one.ref.delegate_index), message)


RULE = Rule(
    code="GL218",
    level=Level.ERROR,
    title="A delegate's match is in conflict with the route that delegates to it.",
    fix="Match within the root's prefix, or move the condition to the root. Beside a regex there, write no uri here.",
    why="Istio merges the two matches. A path that is not within the root's, or any path beside a regex, cannot be "
    "merged, and Istio leaves the whole route out.",
    resources=check,
)
