"""Weights that are all 0."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.ZERO_WEIGHTS])


RULE = Rule(
    code="GL206",
    level=Level.ERROR,
    title="All weights of a route are 0.",
    fix="Give at least one destination a weight above 0.",
    why="Istio refuses the VirtualService; a destination without a weight counts as 0 beside others.",
    istio=("IST0106",),
    resources=check,
)
