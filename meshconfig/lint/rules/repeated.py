"""What may stand in a list once."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.REPEATED])


RULE = Rule(
    code="GL706",
    level=Level.ERROR,
    title="A resource repeats a host, a port or a name.",
    fix="Delete one of the two.",
    why="The API server or Istio refuses the resource. The mesh goes on without it, or with its old form.",
    istio=("IST0106",),
    resources=check,
)
