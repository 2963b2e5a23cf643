"""A resource that the input contains twice, with different contents."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for one, by in index.replaced:
        message = f"{one} is also at {by.locate('metadata', 'name')}, with another content, which replaces this one"
        yield Hit(one, ("metadata", "name"), message)


RULE = Rule(
    code="GL110",
    level=Level.INFO,
    title="The input contains two different resources of one kind, namespace and name.",
    fix="Keep one of the two, or rename one.",
    why="A cluster has one resource of each name: what is applied last replaces the other. All other rules check the "
    "last one only.",
    resources=check,
)
