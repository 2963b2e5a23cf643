"""The input of all checks: read once, then plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.istio import Resources
from meshconfig.istio import Service as LiveService
from meshconfig.lint import Index
from meshconfig.model import Model, Service
from meshconfig.simulate.registry import namespace_of


class KindInNamespace(NamedTuple):
    """Resources of one kind in one namespace."""

    kind: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind}s in {self.namespace}"


@dataclass(frozen=True)
class ClusterSnapshot:
    """A group, and the parts of the cluster that its checks need.

    Parameters:
        istio_versions: the versions of `networking.istio.io` that the cluster serves.
        istio_kinds: the kinds in the version that graylane would write.
        namespaces: each namespace of the group; None if it does not exist.
        services, pods: all in the namespaces that have services of the group.
        gateways: whether each Gateway exists that entries use but graylane does not create (`namespace/name`).
        denied: the permissions that the change needs and the account lacks.
        unread: what could not be read, and why; the checks that need it report nothing.
    """

    model: Model
    istio_versions: tuple[str, ...] = ()
    istio_kinds: frozenset[str] = frozenset()
    namespaces: Mapping[str, Manifest | None] = field(default_factory=dict)
    services: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    gateways: Mapping[str, bool] = field(default_factory=dict)
    denied: tuple[Permission, ...] = ()
    unread: Mapping[KindInNamespace, str] = field(default_factory=dict)

    @cached_property
    def index(self) -> Index:
        """Lint's index over the namespaces that exist, their Services, and the Pods that are ready."""
        namespaces = [one for one in self.namespaces.values() if one]
        resources = Resources.parse([*namespaces, *self.services, *filter(ready, self.pods)])
        return Index(resources, (), resources)

    def hosted(self) -> Iterator[tuple[Service, str]]:
        """The group's services that are Kubernetes Services in namespaces whose Services could be read, each with its
        namespace."""
        for service in self.model.services:
            namespace = namespace_of(service.host)
            if namespace and self.namespaces.get(namespace, {}) is not None and self.was_read("Service", namespace):
                yield service, namespace

    def found(self) -> Iterator[tuple[Service, LiveService]]:
        """The group's services, each with its Service in the cluster, without those that have none."""
        for service, _ in self.hosted():
            if live := self.index.services.get(service.host):
                yield service, live

    def was_read(self, kind: str, namespace: str) -> bool:
        return KindInNamespace(kind, namespace) not in self.unread


def ready(pod: Manifest) -> bool:
    """Whether a Pod gets requests. A Pod that is being deleted does not."""
    conditions = pod.get("status", {}).get("conditions") or ()
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]
