"""An observer of requests, whatever it reads; and who may see what it has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

from meshconfig.carry import VersionCarry
from meshconfig.carry.lanes import Workload
from meshconfig.carry.pods import versions_of, workloads_of
from meshconfig.cluster import lanegroups
from meshconfig.console.faults import MissingError
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.console.sources.source import Source, Stated
from meshconfig.spec import LaneGroup
from meshconfig.traffic import Flow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What was seen, and since when it was counted.

    Parameters:
        without_tags: the source does not say which tag a request had.
    """

    what: Sequence[T]
    since: datetime
    without_tags: bool = False


class Observer(Protocol):
    """Its methods block, and raise GraylaneError where nothing can be read. Callers have asked `may_see` before.

    Parameters:
        origin: `otlp`, `prometheus` or `local`: the word of the catalogues.
    """

    @property
    def origin(self) -> Literal["otlp", "prometheus", "local"]:
        """What it reads."""

    def flows(self, source: Source, stated: Stated, wait: float) -> Seen[Flow] | None:
        """
        Parameters:
            wait: seconds for which a page waits for another server at most.

        Returns:
            None where the other server has not answered yet.
        """

    def carry(self, source: Source, stated: Stated, wait: float) -> Seen[VersionCarry] | None:
        """As `flows`."""


def may_see(source: Source, group: LaneGroup) -> None:
    """Whether the person may see a group's traffic: they may list the LaneGroups of all of its namespaces.

    Raises:
        ApiError: they may not.
    """
    if isinstance(source, ClusterSource):
        for namespace in namespaces(group):
            source.client.list_resources(lanegroups.KIND, namespace)


def namespaces(group: LaneGroup) -> Sequence[str]:
    """The namespaces of a group: its own, and those of its services."""
    return sorted({group.metadata.namespace, *(service.namespace for service in group.inside())})


@dataclass(frozen=True, slots=True)
class Pods:
    """The Pods of a group's versions by `namespace/name`, and the versions by namespace and name of their workload.

    Parameters:
        there: all Pods of the group's namespaces, by `namespace/name`.
    """

    versions: dict[str, Workload]
    workloads: dict[tuple[str, str], Workload]
    there: frozenset[str] = frozenset()

    @classmethod
    def read(cls, source: Source, group: LaneGroup) -> "Pods":
        """By the person's own rights."""
        if not isinstance(source, ClusterSource):
            raise MissingError("this mesh has no Pods")
        services, pods = (
            [one for place in namespaces(group) for one in source.client.list_resources(kind, place)]
            for kind in ("Service", "Pod")
        )
        versions = versions_of(group, services, pods)
        there = frozenset(f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in pods)
        return cls(versions, workloads_of(group, pods, versions), there)
