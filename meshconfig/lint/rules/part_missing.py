"""A part that a resource has to have."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.MISSING])


RULE = Rule(
    code="GL703",
    level=Level.ERROR,
    title="A part is missing that the API server or Istio asks for.",
    fix="Add what the message names.",
    why="The API server or Istio refuses the resource. The mesh goes on without it, or with its old form.",
    istio=("IST0106",),
    resources=check,
)
