"""A subset without labels, which is every Pod of the host."""

from collections.abc import Iterator

from meshconfig.istio.policies import failover_priority
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    outside = {host for entry in index.resources.service_entries for host in entry.spec.hosts}
    for rule in index.resources.destination_rules:
        if len(rule.spec.subsets) == 1 and rule.spec.host in outside:
            continue  # a host outside the mesh has no Pods, and its one subset names a version
        bare = [number for number, subset in enumerate(rule.spec.subsets) if not subset.labels]
        # A rule none of whose subsets has labels tells no versions apart: it names policies, as for egress gateways.
        level = None if len(bare) < len(rule.spec.subsets) else Level.INFO
        for number in bare:
            subset = rule.spec.subsets[number]
            # A lane with `fallback: runtime` chooses among all Pods by their order.
            if not failover_priority(subset.traffic_policy or {}):
                message = f"subset {subset.name} has no labels: it is every Pod of {rule.spec.host}"
                yield Hit(rule, ("spec", "subsets", number), message, level)


RULE = Rule(
    code="GL302",
    level=Level.WARNING,
    title="A subset has no labels.",
    fix="Give it the labels that only this version's Pods carry.",
    why="It selects every Pod of the Service: a request for gray gets any version.",
    kiali=("KIA0209",),
    resources=check,
)
