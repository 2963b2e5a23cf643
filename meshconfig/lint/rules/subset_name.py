"""A subset's name that is not a DNS label: `v1.2.0`."""

import re
from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec.base import LABEL


def check(index: Index) -> Iterator[Hit]:
    for rule in index.resources.destination_rules:
        for number, subset in enumerate(rule.spec.subsets):
            if not re.fullmatch(LABEL, subset.name):
                path = ("spec", "subsets", number, "name")
                yield Hit(rule, path, f"{subset.name!r}: only lower-case letters, digits and -, at most 63 characters")


RULE = Rule(
    code="GL304",
    level=Level.ERROR,
    title="A subset's name is not a DNS label.",
    fix="Write v1-2-0 for v1.2.0; the labels may keep their dots.",
    why="Istio refuses the DestinationRule.",
    istio=("IST0106",),
    resources=check,
)
