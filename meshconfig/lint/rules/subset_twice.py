"""One host's subset of one name, twice."""

from collections.abc import Iterator

from meshconfig.admission import Kind
from meshconfig.istio import DestinationRule
from meshconfig.istio.exports import meet, namespaces
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    yield from (Hit(*one) for one in index.refused[Kind.SUBSET_TWICE])
    for (host, name), found in index.subsets.items():
        for position, (rule, number, _) in enumerate(found[1:], 1):
            earlier = next((other for other, _, _ in found[:position] if _both_read(rule, other)), None)
            if earlier:
                message = f"{earlier} has a subset {name} of {host} already"
                yield Hit(rule, ("spec", "subsets", number, "name"), message)


def _both_read(one: DestinationRule, other: DestinationRule) -> bool:
    """Does any caller read both? Of two namespaces' rules it reads its own, and merges none."""
    if one is other:
        return False  # Istio refuses the rule, which is reported already
    apart = one.spec.workload_selector != other.spec.workload_selector
    overlap = meet(*(namespaces(each.spec.export_to, each.namespace) for each in (one, other)))
    return one.namespace == other.namespace and not apart and overlap


RULE = Rule(
    code="GL303",
    level=Level.ERROR,
    title="A host has two subsets of one name, in one DestinationRule or in two.",
    fix="Rename one, or put them into one subset.",
    why="Twice in one rule, Istio refuses it; in two rules it merges them and keeps the older rule's subset.",
    istio=("IST0106",),
    kiali=("KIA0201",),
    resources=check,
)
