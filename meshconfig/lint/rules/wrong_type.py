"""A value of another type than its field takes."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.WRONG_TYPE])


RULE = Rule(
    code="GL702",
    level=Level.ERROR,
    title="A value has another type than its field takes.",
    fix="Write the value as the message shows.",
    why="The API server refuses the resource. Where lint cannot read its routes for it either, other rules say nothing "
    "about the resource.",
    resources=check,
)
