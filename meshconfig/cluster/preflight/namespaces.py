"""Checks that the namespaces exist and their Pods get a sidecar, by lint's rules for namespaces."""

from collections.abc import Iterator
from typing import Any

from meshconfig.cluster.preflight.finding import Finding, error, warning
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot
from meshconfig.istio import Resource
from meshconfig.istio.hosts import namespace_of
from meshconfig.istio.pods import INJECTION, REVISION
from meshconfig.lint import rule
from meshconfig.lint.rules.namespace_not_injected import not_injected, without_sidecars

TWO_LABELS = "GL504"


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for name, manifest in snapshot.namespaces.items():
        if manifest is None:
            yield error(f"Namespace {name}", "does not exist", f"kubectl create namespace {name}")
    # Callers' sidecars carry out the routes between services. A group with entries alone needs only the gateway.
    injected = {namespace_of(service.host) for service in snapshot.model.services}
    for namespace in snapshot.index.resources.namespaces:
        if namespace.name not in injected:
            continue
        if not_injected(snapshot.index, namespace):
            yield warning(f"Namespace {namespace.name}", without_sidecars(namespace), _label(namespace.name))
        elif namespace.metadata.labels.get(INJECTION) == "disabled":
            message = f"{INJECTION} is disabled: routes do not hold for calls from {namespace.name}"
            yield warning(f"Namespace {namespace.name}", message, _label(namespace.name, "--overwrite "))
    for name, message in _hits(TWO_LABELS, snapshot):
        yield warning(f"Namespace {name}", message, f"kubectl label namespace {name} {REVISION}-")


def _hits(code: str, snapshot: ClusterSnapshot) -> Iterator[tuple[str, str]]:
    """The namespaces that a lint rule reports, each with its message."""
    find = rule(code).resources
    for hit in find(snapshot.index) if find else ():
        owner: Resource[Any] = hit.owner  # type: ignore[assignment]  # a rule of resources has no Group to blame
        yield owner.name, hit.message


def _label(namespace: str, how: str = "") -> str:
    return (
        f"kubectl label namespace {namespace} {how}{INJECTION}=enabled && "
        f"kubectl rollout restart deployment -n {namespace}"
    )
