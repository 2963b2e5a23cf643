"""A namespace with more than one of the labels that say who injects its sidecars."""

from collections.abc import Iterator

from meshconfig.istio.pods import AMBIENT, INJECTION, REVISION
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for namespace in index.resources.namespaces:
        labels = namespace.metadata.labels
        if labels.get(INJECTION, "enabled") != "enabled":
            continue  # switched off, whatever else is said
        found = [f"{name}: {labels[name]}" for name in (INJECTION, REVISION, AMBIENT) if name in labels]
        if len(found) > 1:
            yield Hit(namespace, ("metadata", "labels"), f"{' and '.join(found)}: give one")


RULE = Rule(
    code="GL504",
    level=Level.WARNING,
    title="A namespace has both istio-injection and istio.io/rev.",
    fix="Remove one of the two; for a revision, istio-injection.",
    why="istio-injection wins: the Pods get the default revision's sidecar, not the one that istio.io/rev names.",
    istio=("IST0123",),
    needs=("Namespace",),
    resources=check,
)
