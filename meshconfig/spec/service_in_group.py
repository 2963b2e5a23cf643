"""One service in its group: the version that a lane selects here, and the version of untagged requests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from meshconfig.istio.hosts import CLUSTER_DOMAIN, namespace_of

if TYPE_CHECKING:  # the spec's own classes make these values
    from meshconfig.spec.group import Lane, LaneGroup, ServiceSpec


class ServiceInGroup(NamedTuple):
    """A service together with its group, as `LaneGroup.service` returns it.

    The group may refer to names that do not exist until `compile_group` has checked it.

    Parameters:
        host: the Service's host, fully qualified: `cat-svc` is in the group's namespace, `cat-svc.shop` in `shop`. Of a
            service outside the mesh, the host that is called, as it is written.
    """

    name: str
    spec: "ServiceSpec"
    group: "LaneGroup"
    host: str

    @property
    def namespace(self) -> str:
        """The namespace of its Service; the group's own for a host outside the cluster."""
        return namespace_of(self.host) or self.group.metadata.namespace

    @property
    def lanes(self) -> Iterator[tuple[str, "Lane"]]:
        """The group's lanes by name, sorted: an API server does not keep the order of a mapping."""
        return iter(sorted(self.group.spec.lanes.items()))

    @property
    def baseline(self) -> str | None:
        """The version of untagged requests that no rule and no weights route; None where there is none.

        A service outside the mesh that has one version has one environment for all.
        """
        found = self.spec.default or self.version_in(self.group.spec.tag.default)
        alone = next(iter(self.spec.versions)) if self.spec.external and len(self.spec.versions) == 1 else None
        return found or alone

    def version_in(self, lane: str) -> str | None:
        """The lane's own version of this service; None where it has none."""
        version = self.group.spec.lanes[lane].versions.get(self.name, lane)
        return version if version in self.spec.versions else None

    def refuses(self, lane: str) -> bool:
        """Whether requests of the lane get 503 here: the lane is strict and has no version of this service."""
        return self.group.spec.lanes[lane].mode == "strict" and self.version_in(lane) is None

    def failover_version(self, lane: str) -> str | None:
        """The lane's version here if it falls back at run time, while its Pods are unhealthy; None if it does not.

        None does outside the mesh: the real host must not answer for a sandbox that fails.
        """
        if self.group.spec.lanes[lane].fallback != "runtime" or self.spec.external:
            return None
        version = self.version_in(lane)
        return version if version != self.baseline else None

    def failover_subset(self, version: str) -> str:
        """The subset of a lane with `fallback: runtime`. The version's own subset keeps its Pods alone."""
        return f"{version}-or-{self.baseline}"

    def workload(self, version: str) -> str:
        """The name of a version's Deployment: `workload` in the spec, else SERVICE-VERSION."""
        return self.spec.versions[version].workload or f"{self.name}-{version}"


def service_fqdn(host: str, namespace: str) -> str:
    """A service's host, fully qualified; a host with two or more dots is already."""
    dots = host.count(".")
    if dots == 0:
        return f"{host}.{namespace}.{CLUSTER_DOMAIN}"
    return f"{host}.{CLUSTER_DOMAIN}" if dots == 1 else host
