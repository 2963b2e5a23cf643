"""Backends: families of resources that a group's tables become, and are read back from.

`spec → compile → tables → lower → resources`, and `live resources → lift → tables`. A backend is one folder here and
its kinds in `kinds.py`; nothing above it knows the shape of a resource.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from meshconfig.backend import istio
from meshconfig.backend.evidence import NO_PODS, Evidence, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.manifest import GROUP, ISTIO, MANAGED_BY, IstioApi, Manifest, Owner
from meshconfig.model import RoutingState, Table

__all__ = ["GROUP", "ISTIO", "MANAGED_BY", "Backend", "IstioApi", "Manifest", "Owner", "backend"]


class Backend(Protocol):
    """What a family of resources has to know."""

    def lower(self, table: Table, owner: Owner) -> list[Manifest]:
        """The resources of one table; the same table gives the same resources."""

    def lift(self, manifests: Iterable[Mapping[str, Any]], tag: str) -> RoutingState:
        """The tables of live resources; `lower` of each gives the same resources again.

        Parameters:
            manifests: a group's own, without what the API server adds.
            tag: the name of the tag's header.
        """

    def evidence(self, dump: Any, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
        """What a proxy's configuration shows of a change.

        Parameters:
            dump: istiod's `/debug/config_dump` of the proxy, with endpoints where `pods` are given.
            pods: for subsets whose labels changed, the Pods that have the new ones.
        """

    def relabelled(self, written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
        """The subsets of written resources that keep their name and get other labels."""


_BACKENDS: Mapping[str, Backend] = {"istio": istio}


def backend(name: str = "istio") -> Backend:
    """The backend of this name."""
    return _BACKENDS[name]
