"""A subset whose labels no Pod template of its Service has."""

from collections.abc import Iterator, Mapping

from meshconfig.istio import DestinationRule, Subset, fqdn
from meshconfig.istio.hosts import namespace_of
from meshconfig.istio.pods import ADDED_LABELS
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

Labels = Mapping[str, str]


def check(index: Index) -> Iterator[Hit]:
    for rule in index.resources.destination_rules:
        host = fqdn(rule.spec.host, rule.namespace)
        namespace = namespace_of(host)
        if namespace is not None and index.pods.given(namespace):
            service = index.services.get(host)
            yield from _checked(index, rule, namespace, service.spec.selector if service else {})


def _checked(index: Index, rule: DestinationRule, namespace: str, selector: Labels) -> Iterator[Hit]:
    empty: list[tuple[int, str]] = []
    for number, subset in enumerate(rule.spec.subsets):
        wanted = {**selector, **subset.labels}
        if not subset.labels or any(name.startswith(ADDED_LABELS) for name in wanted):
            continue
        if other := [name for name, value in subset.labels.items() if selector.get(name, value) != value]:
            message = f"the Service has no such Pods: it selects {other[0]}={selector[other[0]]}"
            yield Hit(rule, ("spec", "subsets", number, "labels"), message)
        elif not index.pods.selected(namespace, wanted):
            empty.append((number, _shown(wanted)))
    level = _level(index, namespace, selector, rule.spec.subsets, len(empty))
    for number, shown in empty:
        message = f"no Pod template in {namespace} has the labels {shown}"
        yield Hit(rule, ("spec", "subsets", number, "labels"), message, level)


def _level(index: Index, namespace: str, selector: Labels, subsets: tuple[Subset, ...], empty: int) -> Level:
    """An error where the Service's Pods were given and no subset selects any; a single version may be elsewhere."""
    given = bool(selector) and index.pods.selected(namespace, selector)
    return Level.ERROR if given and empty == len(subsets) else Level.WARNING


def _shown(labels: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


RULE = Rule(
    code="GL301",
    level=Level.ERROR,
    title="A subset selects no Pod.",
    fix="Give the subset the labels of a Deployment's Pod template, or deploy the version that it should select.",
    why="The subset has no endpoints: every request to it is answered 503 (UH).",
    istio=("IST0173",),
    kiali=("KIA0203",),
    needs=("Deployment",),
    resources=check,
)
