"""Checks that each subset has a ready Pod."""

from collections.abc import Iterator, Mapping

from meshconfig.cluster.preflight.finding import Finding, error, warning
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.istio.pods import ADDED_LABELS
from meshconfig.model import Subset

WAITS = "a step that sends requests there waits for one"


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for service, live in snapshot.found():
        namespace, selector = live.namespace, live.spec.selector
        if not selector or not snapshot.was_read(
            "Pod", namespace
        ):  # somebody maintains the endpoints of a Service without a selector by hand
            continue
        if not snapshot.index.pods.selected(namespace, selector):
            yield warning(str(live), f"no ready Pod is behind it: {WAITS}", _look(namespace, selector))
            continue
        for subset in service.subsets:
            yield from _subset(snapshot, subset, str(live), namespace, selector)


def _subset(
    snapshot: ClusterSnapshot, subset: Subset, where: str, namespace: str, selector: Mapping[str, str]
) -> Iterator[Finding]:
    labels = {name: value for name, value in subset.labels if not name.startswith(ADDED_LABELS)}
    if clash := [name for name, value in labels.items() if selector.get(name, value) != value]:
        wrong = ", ".join(f"{name}={selector[name]}" for name in clash)
        message = f"selects {wrong}, so never a Pod of the subset {subset.name} ({_shown(labels)})"
        fix = f"Take {', '.join(clash)} out of the Service's selector, or correct the version's labels."
        yield error(where, message, fix)
    elif not snapshot.index.pods.selected(namespace, {**selector, **labels}):
        message = f"no ready Pod is in its subset {subset.name} ({_shown(labels)}): {WAITS}"
        yield warning(where, message, _look(namespace, {**selector, **labels}))


def _look(namespace: str, labels: Mapping[str, str]) -> str:
    return f"Deploy it, or see what keeps it: kubectl get pods -n {namespace} -l {_shown(labels)}"


def _shown(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
