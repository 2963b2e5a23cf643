"""A namespace with routes whose Pods get no sidecar."""

from collections.abc import Iterator

from meshconfig.istio import Namespace, VirtualService
from meshconfig.istio.exports import ALL
from meshconfig.istio.exports import namespaces as seen_from
from meshconfig.istio.gateways import in_mesh
from meshconfig.istio.hosts import namespace_of
from meshconfig.istio.pods import AMBIENT, INJECTION, REVISION
from meshconfig.lint.finding import Level
from meshconfig.lint.index import SYSTEM_NAMESPACES, Index, hosts_in_full
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    namespaces = index.resources.namespaces
    calling = {name for one in index.resources.virtual_services for name in _callers(one)} if namespaces else set()
    for namespace in namespaces:
        if namespace.name in calling and not_injected(index, namespace):
            yield Hit(namespace, ("metadata", "labels"), without_sidecars(namespace))


def not_injected(index: Index, namespace: Namespace) -> bool:
    """Whether nothing gives the Pods of a namespace a sidecar, and nobody said that this is meant."""
    labels = namespace.metadata.labels
    said = labels.get(INJECTION) or REVISION in labels or labels.get(AMBIENT) == "ambient"
    return not said and namespace.name not in SYSTEM_NAMESPACES and not index.pods.all_inject(namespace.name)


def without_sidecars(namespace: Namespace) -> str:
    return f"neither {INJECTION} nor {REVISION}: routes do not hold for calls from {namespace.name}"


def _callers(one: VirtualService) -> Iterator[str]:
    """The namespaces whose callers the routes between services are for, as far as the VirtualService shows it."""
    if not in_mesh(one.spec.gateways):
        return
    seen = seen_from(one.spec.export_to, one.namespace)
    named = {match.source_namespace for route in one.spec.http for match in route.match}
    served = {namespace_of(host) or one.namespace for host in hosts_in_full(one)}
    yield from {one.namespace, *served, *named} if ALL in seen else seen


RULE = Rule(
    code="GL503",
    level=Level.INFO,
    title="A namespace that routes are for is not enabled for sidecar injection.",
    fix="Label it istio-injection: enabled (or istio.io/rev), or istio-injection: disabled if that is intended.",
    why="The caller's sidecar carries out routes between services. Without one, every call goes to any version.",
    istio=("IST0102",),
    needs=("Namespace",),
    resources=check,
)
