"""Compares hosts and namespaces for rules."""

from collections.abc import Iterable, Iterator

from meshconfig.istio import VirtualService, fqdn


def wildcards(host: str) -> Iterator[str]:
    """The wildcards that cover a host, the longest first: `*.b.c`, `*.c`, `*`."""
    rest = host.removeprefix("*.")
    while "." in rest:
        rest = rest.split(".", 1)[1]
        yield f"*.{rest}"
    yield "*"


def mesh_hosts(owner: VirtualService) -> list[str]:
    return [fqdn(host, owner.namespace) for host in owner.spec.hosts]


def exported(export_to: Iterable[str], namespace: str) -> frozenset[str]:
    """The namespaces that see a resource. `*` means all, and so does an empty list."""
    found = frozenset(namespace if one == "." else one for one in export_to)
    return frozenset("*") if "*" in found or not found else found


def sees(visible: frozenset[str], namespaces: frozenset[str]) -> bool:
    """Whether a resource visible in the namespaces `visible` can be seen from all of `namespaces`."""
    return "*" in visible or ("*" not in namespaces and namespaces <= visible)
