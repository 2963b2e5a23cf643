"""Which namespaces see a resource: its `exportTo`.

Source: Istio, `exportTo` of VirtualService, DestinationRule and ServiceEntry (`.` is the resource's own namespace, `*`
is all, an empty list is all); for Services, the annotation `networking.istio.io/exportTo`, where `~` is nobody.
"""

from collections.abc import Iterable, Mapping

ROOT_NAMESPACE = "istio-system"  # its resources hold in every namespace (MeshConfig.rootNamespace, by default)
ALL = "*"
OWN = "."
NOBODY = "~"
ANNOTATION = "networking.istio.io/exportTo"


def annotated(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The `exportTo` of a Kubernetes Service, which has it as an annotation: `demo, other`."""
    return tuple(name for part in annotations.get(ANNOTATION, "").split(",") if (name := part.strip()))


def namespaces(export_to: Iterable[str], namespace: str) -> frozenset[str]:
    """The namespaces that see a resource of `namespace`; `*` stands for all of them."""
    found = frozenset(namespace if one == OWN else one for one in export_to)
    if ALL in found or not found:
        return frozenset((ALL,))
    return frozenset() if NOBODY in found else found


def visible(export_to: Iterable[str], namespace: str, client: str) -> bool:
    """May a proxy in `client` see a resource of `namespace` with this exportTo?"""
    return includes(namespaces(export_to, namespace), (client,))


def includes(seen_by: frozenset[str], clients: Iterable[str]) -> bool:
    """Are all of `clients`, where `*` is every namespace, among those that see a resource?"""
    return ALL in seen_by or seen_by.issuperset(clients)


def meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Is there a namespace that sees both of two resources?"""
    return (ALL in one and bool(other)) or (ALL in other and bool(one)) or bool(one & other)
