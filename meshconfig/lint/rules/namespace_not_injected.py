"""A namespace whose Pods get no sidecar."""

from collections.abc import Iterator

from meshconfig.istio.pods import AMBIENT, INJECTION, REVISION
from meshconfig.lint.finding import Level
from meshconfig.lint.index import SYSTEM_NAMESPACES, Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for namespace in index.resources.namespaces:
        labels = namespace.metadata.labels
        said = labels.get(INJECTION) or REVISION in labels or labels.get(AMBIENT) == "ambient"
        if not said and namespace.name not in SYSTEM_NAMESPACES and not index.pods.all_inject(namespace.name):
            message = f"neither {INJECTION} nor {REVISION}: routes do not hold for calls from {namespace.name}"
            yield Hit(namespace, ("metadata", "labels"), message)


RULE = Rule(
    code="GL503",
    level=Level.WARNING,
    title="A namespace is not enabled for sidecar injection.",
    fix="Label it istio-injection: enabled (or istio.io/rev), or istio-injection: disabled if that is intended.",
    why="The caller's sidecar carries out routes between services. Without one, every call goes to any version.",
    istio=("IST0102",),
    needs=("Namespace",),
    resources=check,
)
