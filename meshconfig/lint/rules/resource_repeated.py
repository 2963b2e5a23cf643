"""One resource is written twice."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for kept, other in index.resources.repeated:
        message = f"{kept} says something else at {other.locate()}; the last one that is applied replaces the other"
        yield Hit(kept, ("metadata", "name"), message)


RULE = Rule(
    code="GL250",
    level=Level.INFO,
    title="A resource is written twice, and not alike.",
    fix="Delete one of the two, or give it another name.",
    why="There are never two of one kind, namespace and name: the API server keeps what was applied last. "
    "The other rules look at the last one that was read.",
    resources=check,
)
