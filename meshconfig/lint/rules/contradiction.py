"""Fields that exclude each other."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.CONTRADICTION])


RULE = Rule(
    code="GL705",
    level=Level.ERROR,
    title="Fields of a resource exclude each other.",
    fix="Keep the one that was meant.",
    why="The API server or Istio refuses the resource. The mesh goes on without it, or with its old form.",
    istio=("IST0106",),
    resources=check,
)
