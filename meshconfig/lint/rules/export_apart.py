"""A VirtualService seen from namespaces that do not see the DestinationRule with its subset."""

from collections.abc import Iterator

from meshconfig.istio.exports import ALL, namespaces
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.subset_lookup import Why, unfound


def check(index: Index) -> Iterator[Hit]:
    for one in index.once(unfound):
        if one.why is Why.NOT_EXPORTED:
            owner = one.use.owner
            names = ", ".join(rule.key for rule in one.rules)
            seen = _shown(namespaces(owner.spec.export_to, owner.namespace))
            message = f"this route is seen from {seen}, its subset is not: see exportTo of {names}"
            yield Hit(owner, (*one.use.path, "subset"), message)


def _shown(seen: frozenset[str]) -> str:
    return "every namespace" if ALL in seen else ", ".join(sorted(seen))


RULE = Rule(
    code="GL109",
    level=Level.ERROR,
    title="A route is exported to namespaces that do not see its subset.",
    fix="Give the VirtualService and the DestinationRule the same exportTo.",
    why="Callers there get the route, but not its cluster: 503 (NC).",
    needs=("DestinationRule",),
    resources=check,
)
