"""A route to a subset that no DestinationRule of its host has."""

from collections.abc import Iterator

from meshconfig.errors import nearest
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses:
        subset = use.destination.subset
        if not subset or (use.host, subset) in index.subsets:
            continue
        rules = index.destination_rules.get(use.host, ())
        if not rules and not index.is_given("DestinationRule"):
            continue
        known = [one.name for rule in rules for one in rule.spec.subsets]
        what = (
            f"no DestinationRule of {use.host} has a subset {subset}" if rules else f"{use.host} has no DestinationRule"
        )
        yield Hit(use.owner, (*use.path, "subset"), what + nearest(subset, known))


RULE = Rule(
    code="GL101",
    level=Level.ERROR,
    title="A route leads to a subset that no DestinationRule has.",
    fix="Add the subset to the host's DestinationRule, or route to one that it has.",
    why="Envoy has no cluster of that name: every request that takes the route is answered 503 (NC).",
    istio=("IST0101",),
    kiali=("KIA1107",),
    needs=("DestinationRule",),
    resources=check,
)
