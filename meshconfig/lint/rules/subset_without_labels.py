"""A subset without labels, which is every Pod of the host."""

from collections.abc import Iterator
from typing import Any

from meshconfig.istio import Subset
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for rule in index.resources.destination_rules:
        for number, subset in enumerate(rule.spec.subsets):
            if not subset.labels and not _prefers(subset):
                message = f"subset {subset.name} has no labels: it is every Pod of {rule.spec.host}"
                yield Hit(rule, ("spec", "subsets", number), message)


def _prefers(subset: Subset) -> bool:
    """Does it choose among all Pods by `failoverPriority`, as a lane with `fallback: runtime` does?"""
    policy: Any = subset.traffic_policy or {}
    for name in ("loadBalancer", "localityLbSetting", "failoverPriority"):
        policy = policy.get(name) if isinstance(policy, dict) else None
    return bool(policy)


RULE = Rule(
    code="GL302",
    level=Level.WARNING,
    title="A subset has no labels.",
    fix="Give it the labels that only this version's Pods carry.",
    why="It selects every Pod of the Service: a request for gray gets any version.",
    kiali=("KIA0209",),
    resources=check,
)
