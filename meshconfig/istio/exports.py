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
    """True where a proxy in namespace `client` sees a resource of `namespace` with this exportTo."""
    return includes(namespaces(export_to, namespace), (client,))


def includes(seen_by: frozenset[str], clients: Iterable[str]) -> bool:
    """True where all of `clients` are among the namespaces that see a resource; `*` is every namespace."""
    return ALL in seen_by or seen_by.issuperset(clients)


def meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """True where some namespace sees both of two resources.

    Parameters:
        one, other: the namespaces that see each, as `namespaces` gives them.
    """
    return (ALL in one and bool(other)) or (ALL in other and bool(one)) or bool(one & other)
