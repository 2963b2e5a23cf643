"""One service in its group: which version a lane stands for here, and which one untagged requests get."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from meshconfig.istio.hosts import CLUSTER_DOMAIN, namespace_of

if TYPE_CHECKING:  # the spec's own classes make these values
    from meshconfig.spec.group import Lane, LaneGroup, ServiceSpec


class ServiceInGroup(NamedTuple):
    """`LaneGroup.service(name)`; names that the spec refers to are known to exist once the spec has compiled."""

    name: str
    spec: "ServiceSpec"
    group: "LaneGroup"

    @property
    def host(self) -> str:
        """The Service's host in full: `cat-svc` is in the group's namespace, `cat-svc.shop` in shop."""
        return service_fqdn(self.spec.host, self.group.metadata.namespace)

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
        """The version of untagged requests, where neither rules nor weights say otherwise."""
        return self.spec.default or self.version_in(self.group.spec.tag.default)

    def version_in(self, lane: str) -> str | None:
        """The lane's own version of this service; None where it has none."""
        version = self.group.spec.lanes[lane].versions.get(self.name, lane)
        return version if version in self.spec.versions else None

    def refuses(self, lane: str) -> bool:
        """A strict lane without a version here does not fall back."""
        return self.group.spec.lanes[lane].mode == "strict" and self.version_in(lane) is None

    def failover_version(self, lane: str) -> str | None:
        """The lane's version here, where its requests go to the baseline's while its Pods are not healthy."""
        version = self.version_in(lane)
        return version if self.group.spec.lanes[lane].fallback == "runtime" and version != self.baseline else None

    def failover_subset(self, version: str) -> str:
        """The subset of a lane with `fallback: runtime`; it has its own name, so that the version's stays pure."""
        return f"{version}-or-{self.baseline}"

    def workload(self, version: str) -> str:
        """The Deployment of a version: as the spec says, else SERVICE-VERSION."""
        return self.spec.versions[version].workload or f"{self.name}-{version}"


def service_fqdn(host: str, namespace: str) -> str:
    """A service's host in full; a host with two dots or more is full already."""
    dots = host.count(".")
    if dots == 0:
        return f"{host}.{namespace}.{CLUSTER_DOMAIN}"
    return f"{host}.{CLUSTER_DOMAIN}" if dots == 1 else host
