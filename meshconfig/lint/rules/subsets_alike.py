"""Two subsets of a host that select the same Pods, or of which one selects those of the other."""

from collections.abc import Iterator, Mapping
from typing import Any

from meshconfig.istio import DestinationRule, Resource, Subset
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.origin import Rendered
from meshconfig.lint.rule import Hit, Rule

Labels = frozenset[tuple[str, str]]


def check(index: Index) -> Iterator[Hit]:
    labelled = {name for one in index.resources.workloads for name in _labelled_by(one)}
    for rule in index.resources.destination_rules:
        if rule.key in labelled:
            continue
        earlier: dict[Labels, Subset] = {}
        wider = _by_label(rule) if len({len(one.labels) for one in rule.spec.subsets}) > 1 else {}
        for number, subset in enumerate(rule.spec.subsets):
            labels = frozenset(subset.labels.items())
            if not labels:
                continue
            other = earlier.setdefault(labels, subset)
            path = ("spec", "subsets", number, "labels")
            if other is not subset and other.traffic_policy == subset.traffic_policy:
                yield Hit(rule, path, f"{subset.name} has the labels of {other.name}: they are the same Pods")
            elif found := _containing(wider, labels):
                level = Level.WARNING if isinstance(rule.source, Rendered) else Level.INFO
                yield Hit(rule, path, f"these Pods are {found.name}'s as well, which asks for fewer labels", level)


def _labelled_by(resource: Resource[Any]) -> Iterator[str]:
    """The DestinationRules, as `namespace/name`, whose subsets a Rollout of Argo gives further labels while it runs.

    Source: Argo Rollouts, "Istio", Subset-level Traffic Splitting.
    """
    found: Any = resource.manifest if resource.kind == "Rollout" else {}
    for part in ("spec", "strategy", "canary", "trafficRouting", "istio", "destinationRule", "name"):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        yield f"{resource.namespace}/{found}"


def _by_label(rule: DestinationRule) -> dict[tuple[str, str], list[tuple[Labels, Subset]]]:
    """The subsets by one of their labels, the one that the fewest others have."""
    labels = [(frozenset(subset.labels.items()), subset) for subset in rule.spec.subsets if subset.labels]
    counts: dict[tuple[str, str], int] = {}
    for each, _ in labels:
        for label in each:
            counts[label] = counts.get(label, 0) + 1
    found: dict[tuple[str, str], list[tuple[Labels, Subset]]] = {}
    for each, subset in labels:
        found.setdefault(min(each, key=lambda label: (counts[label], label)), []).append((each, subset))
    return found


def _containing(wider: dict[tuple[str, str], list[tuple[Labels, Subset]]], labels: Labels) -> Subset | None:
    """A subset whose labels are some of these, and not all."""
    return next((one for label in sorted(labels) for each, one in wider.get(label, ()) if each < labels), None)


RULE = Rule(
    code="GL305",
    level=Level.WARNING,
    title="Two subsets of a host select the same Pods.",
    fix="Give each version a label, or a value, that only its own Pods have.",
    why="A request for one version is answered by Pods of the other.",
    resources=check,
)
