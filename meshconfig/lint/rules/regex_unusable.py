"""A regular expression that Istio refuses: empty, over 1024 characters, or not RE2."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec.match import MAX_REGEX


def check(index: Index) -> Iterator[Hit]:
    return (Hit(*one) for one in index.refused[Kind.REGEX])


RULE = Rule(
    code="GL212",
    level=Level.ERROR,
    title=f"A regular expression is empty, over {MAX_REGEX} bytes long, or not RE2.",
    fix="Match on an exact value or a prefix, in several matches if need be, or write it in RE2; {} is any value.",
    why="Istio refuses the whole VirtualService.",
    istio=("IST0106",),
    resources=check,
)
