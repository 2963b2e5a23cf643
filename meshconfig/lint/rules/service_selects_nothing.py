"""A Service that routes lead to, and that has no Pods."""

from collections.abc import Iterator

from meshconfig.istio import Service
from meshconfig.istio.services import host_of
from meshconfig.lint.finding import Level
from meshconfig.lint.index import SYSTEM_NAMESPACES, Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for service in index.resources.services:
        selector, namespace = service.spec.selector, service.namespace
        if not selector or namespace in SYSTEM_NAMESPACES or service.spec.type == "ExternalName":
            continue
        routed = host_of(service) in index.routed_hosts or host_of(service) in index.mesh_virtual_services
        if routed and index.pods.given(namespace) and not index.pods.selected(namespace, selector):
            shown = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
            namesake = _namesake(index, service)
            message = (
                f"no Pod template in {namespace} has the labels {shown}{f'; there is {namesake}' if namesake else ''}"
            )
            yield Hit(service, ("spec", "selector"), message, Level.ERROR if namesake else None)


def _namesake(index: Index, service: Service) -> str:
    """A workload with the Service's name, and its labels. It shows that the Pods are here, and not elsewhere."""
    return index.pods.named(service.namespace, service.name)


RULE = Rule(
    code="GL505",
    level=Level.WARNING,
    title="A Service that routes lead to selects no Pod.",
    fix="Give the selector the labels of the Deployment's Pod template.",
    why="The Service has no endpoints: every request to it is answered 503 (UH).",
    needs=("Service",),
    resources=check,
)
