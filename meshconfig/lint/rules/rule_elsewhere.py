"""A subset in a DestinationRule of a namespace in which pilot does not look for it."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.subset_lookup import Why, unfound


def check(index: Index) -> Iterator[Hit]:
    for one in index.once(unfound):
        if one.why is Why.ELSEWHERE:
            names = ", ".join(map(str, one.rules))
            place = index.service_namespace(one.use.host)
            message = f"{names} has the subset, and applies to callers of its own namespace only: put it into {place}"
            yield Hit(one.use.owner, (*one.use.path, "subset"), message)


RULE = Rule(
    code="GL111",
    level=Level.ERROR,
    title="A route's subset is in a DestinationRule of a third namespace.",
    fix="Put the DestinationRule into the Service's namespace, or export the VirtualService to the rule's only.",
    why="Istio looks for a DestinationRule in the caller's namespace, the Service's and the root namespace. Callers in "
    "any other get no cluster: 503 (NC).",
    needs=("DestinationRule",),
    resources=check,
)
