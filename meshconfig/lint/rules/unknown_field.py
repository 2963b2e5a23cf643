"""A field that its kind does not have."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.UNKNOWN_FIELD])


RULE = Rule(
    code="GL701",
    level=Level.ERROR,
    title="A resource has a field that its kind does not have.",
    fix="Write the field that was meant, or delete it.",
    why="kubectl asks the API server to refuse it. For tools that do not ask, as many that sync from Git, the server "
    "drops the field without a word: a misspelt match then takes every request.",
    resources=check,
)
