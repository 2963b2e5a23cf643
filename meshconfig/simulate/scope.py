"""What a `Sidecar` resource lets a proxy see.

Pilot takes the first of these: a Sidecar of the namespace whose workloadSelector fits the Pod, the namespace's Sidecar
without a selector, the root namespace's. A proxy always gets the destinations of the VirtualServices that it imports.
Source: pilot model/sidecar.go.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from meshconfig.istio import Resource, View, VirtualService
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.hosts import covers, overlap
from meshconfig.istio.services import KnownService
from meshconfig.simulate.index import Index, resolved_hosts


class Scope:
    """The Services and VirtualServices that a sidecar gets.

    Parameters:
        namespace: the namespace of the sidecar's Pod.
        labels: the labels of that Pod; None when they are not known.
    """

    def __init__(self, index: Index, namespace: str, labels: Mapping[str, str] | None) -> None:
        self.namespace = namespace
        self.undecided: list[str] = []
        self.hosts: list[str] | None = None
        sidecar = self._chosen(index.sidecars, labels)
        if sidecar is not None:
            self._read(sidecar)

    def _chosen(self, every: list[Resource[View]], labels: Mapping[str, str] | None) -> Resource[View] | None:
        own = [one for one in every if one.namespace == self.namespace]
        for one in (one for one in own if _selector(one) is not None):
            if labels is None:
                self.undecided.append(f"{one} selects by labels, and the sender's are not known")
            elif (_selector(one) or {}).items() <= labels.items():
                return one
        root = [one for one in every if one.namespace == ROOT_NAMESPACE]
        return next((one for one in own + root if _selector(one) is None), None)

    def _read(self, sidecar: Resource[View]) -> None:
        listeners = _spec(sidecar).get("egress") or []
        if not listeners:
            return
        if any(not isinstance(one, Mapping) or set(one) - {"hosts"} for one in listeners):
            self.undecided.append(f"{sidecar} has egress listeners of their own port")
        self.hosts = [str(host) for one in listeners if isinstance(one, Mapping) for host in one.get("hosts") or []]

    def imports_service(self, service: KnownService) -> bool:
        """Whether the Sidecar resource imports a Service."""
        return self._imports(service.namespace, [service.host], lambda host, pattern: covers(pattern, host))

    def imports_virtual_service(self, virtual_service: VirtualService) -> bool:
        """Whether the Sidecar resource imports a host of a VirtualService."""
        return self._imports(virtual_service.namespace, resolved_hosts(virtual_service), overlap)

    def _imports(self, namespace: str, hosts: Iterable[str], fits: Any) -> bool:
        if self.hosts is None:
            return True
        entries = [entry.partition("/") for entry in self.hosts]
        taken = [(owner, name) for owner, _, name in entries if not owner.startswith("~")]
        barred = [(owner[1:] or "*", name) for owner, _, name in entries if owner.startswith("~")]
        return any(
            any(self._owner(owner) in ("*", namespace) and fits(host, name) for owner, name in taken)
            and not any(self._owner(owner) in ("*", namespace) and covers(name, host) for owner, name in barred)
            for host in hosts
        )

    def _owner(self, owner: str) -> str:
        return self.namespace if owner == "." else owner


def _spec(sidecar: Resource[View]) -> Mapping[str, Any]:
    spec = sidecar.manifest.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _selector(sidecar: Resource[View]) -> Mapping[str, str] | None:
    selector = _spec(sidecar).get("workloadSelector")
    return None if not selector else selector.get("labels") or {}
