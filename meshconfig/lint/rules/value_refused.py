"""A value that its field does not take."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.BAD_VALUE])


RULE = Rule(
    code="GL704",
    level=Level.ERROR,
    title="A field does not take its value.",
    fix="Write a value of the form that the message names.",
    why="The API server or Istio refuses the resource. The mesh goes on without it, or with its old form.",
    istio=("IST0106",),
    resources=check,
)
