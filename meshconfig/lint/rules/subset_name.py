"""A subset's name that is not a DNS label: `v1.2.0`."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.SUBSET_NAME])


RULE = Rule(
    code="GL304",
    level=Level.ERROR,
    title="A subset's name is not a DNS label.",
    fix="Write v1-2-0 for v1.2.0; the labels may keep their dots.",
    why="Istio refuses the DestinationRule.",
    istio=("IST0106",),
    resources=check,
)
