"""A VirtualService seen from namespaces that do not see the DestinationRule with its subset."""

from collections.abc import Iterator

from meshconfig.istio import DestinationRule
from meshconfig.istio.exports import ALL, includes, namespaces
from meshconfig.istio.gateways import in_mesh
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for use in index.uses:
        # At a gateway one namespace reads the routes, the gateway's, and it is not known here.
        if use.destination.subset and in_mesh(use.owner.spec.gateways):
            found = [rule for rule, _, _ in index.subsets.get((use.host, use.destination.subset), ())]
            if found and not _meet(use, found):
                names = ", ".join(f"{rule.namespace}/{rule.name}" for rule in found)
                message = f"this route is seen from {_shown(_seen(use))}, its subset is not: see exportTo of {names}"
                yield Hit(use.owner, (*use.path, "subset"), message)


def _meet(use: Use, rules: list[DestinationRule]) -> bool:
    visible = [namespaces(rule.spec.export_to, rule.namespace) for rule in rules]
    return includes(frozenset().union(*visible), _seen(use))


def _seen(use: Use) -> frozenset[str]:
    return namespaces(use.owner.spec.export_to, use.owner.namespace)


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
