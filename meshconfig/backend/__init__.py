"""Backends: each translates a group's tables to one family of resources, such as Istio's, and back.

`spec → compile → tables → lower → resources`, and `live resources → lift → tables`. A backend is one folder here and
its kinds in `kinds.py`. The packages above it do not know the shape of a resource.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from meshconfig.backend.evidence import NO_PODS, Evidence, RelabelledSubset, Resource, SubsetPods, Written
from meshconfig.backend.manifest import GROUP, ISTIO, MANAGED_BY, IstioApi, Manifest, Owner
from meshconfig.backend.refused import UnsupportedError
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.model import RoutingState, Table

__all__ = ["GROUP", "ISTIO", "MANAGED_BY", "Backend", "IstioApi", "Manifest", "Owner", "UnsupportedError", "backend"]


class Backend(Protocol):
    """The functions that a backend must have."""

    def lower(self, table: Table, owner: Owner) -> list[Manifest]:
        """The resources of one table. The same table always gives the same resources.

        Raises:
            UnsupportedError: the backend cannot express a part of the table.
        """

    def lift(self, manifests: Iterable[Mapping[str, Any]], tag: str) -> RoutingState:
        """The tables of live resources. `lower` of these tables gives the same resources again.

        Parameters:
            manifests: the resources of one group, without the fields that the API server adds.
            tag: the name of the tag's header.
        """

    def stored(self, manifest: Manifest) -> Manifest:
        """A resource as the API server stores it, with the defaults that it fills in."""

    def cluster(self, host: str, port: int, version: str) -> ClusterName:
        """The name of Envoy's cluster of a version of a service."""

    def transition(self, before: Sequence[Manifest], after: Sequence[Manifest]) -> list[list[Manifest]]:
        """The writes that lead from the resources of one table to others, in waves.

        Between two writes, each request is decided by the old routes or by the new ones. What is left over after the
        last wave is to be deleted.

        Parameters:
            before: the resources of the table in the cluster.
            after: the resources that are wanted; if there are none, all are to be deleted.

        Raises:
            UnsupportedError: there is no such order.
        """

    def evidence(self, dump: Any, change: Written, pods: SubsetPods = NO_PODS) -> Evidence:
        """Whether a proxy's configuration shows a change already.

        Parameters:
            dump: istiod's `/debug/config_dump` of the proxy, with endpoints if `pods` are given.
            change: what a step wrote and deleted.
            pods: for subsets whose labels changed, the Pods that have the new labels.
        """

    def relabelled(self, written: Iterable[Resource], before: Mapping[Any, Resource]) -> Iterator[RelabelledSubset]:
        """The subsets of written resources that keep their name and get other labels.

        Parameters:
            before: the same resources as they were, by kind, namespace and name; a new one is not among them.
        """


_BACKENDS = {"istio": "meshconfig.backend.istio", "gateway": "meshconfig.backend.gateway"}


def backend(name: str = "istio") -> Backend:
    """The backend of this name. Its modules are loaded when it is first asked for.

    Raises:
        KeyError: there is no such backend.
    """
    return cast(Backend, import_module(_BACKENDS[name]))
