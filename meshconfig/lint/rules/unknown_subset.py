"""A route to a subset that the DestinationRule of its host does not have."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.names import Names
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.subset_lookup import FEW, Unfound, Why, unfound


def check(index: Index) -> Iterator[Hit]:
    names: dict[str, Names] = {}
    for one in index.once(unfound):
        if one.why is Why.NOWHERE:
            yield _hit(one, _nowhere(index, one, names))
        elif one.why is Why.NOT_IN_FORCE:
            yield _hit(one, _another(one))


def _hit(one: Unfound, message: str) -> Hit:
    return Hit(one.use.owner, (*one.use.path, "subset"), message)


def _nowhere(index: Index, one: Unfound, names: dict[str, Names]) -> str:
    host, subset = one.use.host, one.use.destination.subset
    if full := index.in_full(host):
        return f"{host} has no DestinationRule; to Istio a name with a dot is complete: write {full}"
    rules = index.rules_of(host)
    if not rules:
        return f"{host} has no DestinationRule"
    if host not in names:
        names[host] = Names(each.name for rule in rules for each in rule.spec.subsets)
    return f"no DestinationRule of {host} has a subset {subset}{names[host].nearest(subset)}"


def _another(one: Unfound) -> str:
    """Of several rules pilot uses the caller's namespace's own, and of one namespace's the most specific."""
    where = f"callers in {one.client}" if one.client else "most callers"
    more = " or another one" if len(one.rules) > FEW else ""
    used = ", ".join(rule.key for rule in one.rules[:FEW]) + more if one.rules else "another one"
    return (
        f"for {where} the DestinationRule {used} goes before the one that has the subset {one.use.destination.subset}"
    )


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
