"""The input of all checks: read once, then plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.istio import Resources
from meshconfig.istio import Service as LiveService
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.istio.pods import is_ready
from meshconfig.lint import Index
from meshconfig.model import Model, Service


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
        gateway_api: the kinds of the Gateway API that the cluster serves; None where the group needs none.
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
    gateway_api: frozenset[str] | None = None

    @cached_property
    def index(self) -> Index:
        """Lint's index over the namespaces that exist, their Services, and the Pods that are ready."""
        namespaces = [one for one in self.namespaces.values() if one]
        resources = Resources.parse([*namespaces, *self.services, *filter(is_ready, self.pods)])
        return Index(resources, (), resources)

    def hosted(self) -> Iterator[tuple[Service, ServiceName]]:
        """The group's services that are Kubernetes Services, of namespaces whose Services could be read."""
        for service in self.model.services:
            name = service_name(service.host)
            if name and self._exists(name.namespace) and self.was_read("Service", name.namespace):
                yield service, name

    def _exists(self, namespace: str) -> bool:
        """False for a namespace that was looked for and not found."""
        return self.namespaces.get(namespace, {}) is not None

    def found(self) -> Iterator[tuple[Service, LiveService]]:
        """The group's services, each with its Service in the cluster, without those that have none."""
        for service, _ in self.hosted():
            if live := self.index.services.get(service.host):
                yield service, live

    def was_read(self, kind: str, namespace: str) -> bool:
        return KindInNamespace(kind, namespace) not in self.unread
