"""Reads from a cluster which groups a namespace has, and which versions its Pods are, for `graylane carry`."""

import time
from collections.abc import Callable, Sequence

from meshconfig.carry.lanes import Workload
from meshconfig.carry.pods import versions_of, workloads_of
from meshconfig.cluster import history
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.errors import InputError
from meshconfig.spec import LaneGroup

REFRESH = 10.0  # seconds between two readings that an unknown Pod causes


def groups_of(client: Client, namespace: str) -> list[LaneGroup]:
    """The specs of a namespace's groups, as they were applied last.

    Raises:
        InputError: there is no group.
        ClusterError: the cluster cannot be read.
    """
    past = [history.read(client, namespace, group) for group in history.groups(client, namespace)]
    found = [one.last.spec for one in past if one.last and not one.last.gone]
    if not found:
        raise InputError.at("-n", f"namespace {namespace} has no group: apply one, or name another namespace")
    return found


class PodVersions:
    """The Pods of one group's versions. They are read again for a Pod that is not known, but seldom.

    Parameters:
        clock: seconds, which do not go back.
    """

    def __init__(self, client: Client, group: LaneGroup, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._group, self._clock = client, group, clock
        self._namespaces = sorted({service.namespace for service in group.inside()})
        self._now: dict[str, Workload] = {}
        self._read()

    def find(self, pod: str) -> Workload | None:
        """The version that a Pod, `namespace/name`, is; None for one of others."""
        unknown = pod not in self._others and pod not in self._now and pod.partition("/")[0] in self._namespaces
        if unknown and self._clock() - self._at >= REFRESH:
            self._read()
        return self._now.get(pod) or self._before.get(pod)

    def _read(self) -> None:
        services, pods = self._list("Service"), self._list("Pod")
        # The last records of Pods that have ended may still come.
        self._before, self._now = self._now, versions_of(self._group, services, pods)
        self._others = {f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in pods} - {*self._now}
        self.workloads = workloads_of(self._group, pods, self._now)
        self._at = self._clock()

    def _list(self, kind: str) -> Sequence[Manifest]:
        return [one for place in self._namespaces for one in self._client.list_resources(kind, place)]
