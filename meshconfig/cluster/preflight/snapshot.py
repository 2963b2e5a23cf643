"""What the checks look at: fetched once for all of them, and then plain values."""

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
    """A group and what the cluster has around it.

    Parameters:
        istio_versions: of `networking.istio.io`, those that are served.
        istio_kinds: of the version that graylane would write.
        namespaces: each namespace of the group: None for one that does not exist.
        services, pods: all of the namespaces that have services of the group.
        gateways: those that entries use and do not bring, `namespace/name`: is it there?
        denied: what the change needs and the account may not.
        unread: what could not be read, and why; the checks that need it are silent.
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
        """As lint sees it: the namespaces that exist, their Services, the Pods that are ready."""
        namespaces = [one for one in self.namespaces.values() if one]
        resources = Resources.parse([*namespaces, *self.services, *filter(ready, self.pods)])
        return Index(resources, (), resources)

    def hosted(self) -> Iterator[tuple[Service, str]]:
        """The group's services that are Kubernetes Services, of namespaces whose Services could be read; each with its
        namespace."""
        for service in self.model.services:
            namespace = namespace_of(service.host)
            if namespace and self.namespaces.get(namespace, {}) is not None and self.was_read("Service", namespace):
                yield service, namespace

    def found(self) -> Iterator[tuple[Service, LiveService]]:
        """The group's services, each with the Service in the cluster; those that have none are left out."""
        for service, _ in self.hosted():
            if live := self.index.services.get(service.host):
                yield service, live

    def was_read(self, kind: str, namespace: str) -> bool:
        return KindInNamespace(kind, namespace) not in self.unread


def ready(pod: Manifest) -> bool:
    """Does it get requests? A Pod that is being deleted no longer does."""
    conditions = pod.get("status", {}).get("conditions") or ()
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]
