"""Counts the Pods of a version, by its Deployment or by labels."""

from collections.abc import Iterable, Mapping
from typing import Any

from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.status.snapshot import GroupSnapshot
from meshconfig.cluster.status.status import PodCount, VersionState
from meshconfig.istio.hosts import service_name
from meshconfig.istio.pods import is_leaving, is_ready
from meshconfig.spec import ConsumerInGroup, ServiceInGroup
from meshconfig.spec.preview import is_of_preview


def by_name(there: Iterable[Manifest]) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in there}


def deployment(service: ServiceInGroup, version: str, there: Mapping[str, Manifest]) -> Manifest | None:
    """The version's Deployment: the one of its name whose Pods have its labels."""
    found = there.get(service.workload(version))
    labels = found["spec"]["template"].get("metadata", {}).get("labels") or {} if found else {}
    return found if service.spec.versions[version].labels.items() <= labels.items() else None


class Workloads:
    """The Deployments and Pods that were read, indexed by name and by label, because there may be thousands."""

    def __init__(self, snapshot: GroupSnapshot) -> None:
        self._deployments = {place: by_name(there) for place, there in snapshot.deployments.items()}
        self._services = {place: by_name(there) for place, there in snapshot.services.items()}
        self._pods: dict[str, dict[tuple[str, str], list[Manifest]]] = {place: {} for place in snapshot.pods}
        for place, there in snapshot.pods.items():
            for pod in filter(_lives, there):
                for label in (pod["metadata"].get("labels") or {}).items():
                    self._pods[place].setdefault(label, []).append(pod)

    def versions(self, service: ServiceInGroup) -> tuple[VersionState, ...]:
        """Each version of a service and its Pods."""
        lanes = service.group.spec.lanes
        return tuple(
            VersionState(
                name,
                one.host or service.workload(name),
                None if one.host else self._count(service, name),
                coming=name not in lanes and is_of_preview(one),
            )
            for name, one in service.spec.versions.items()
        )

    def consumer_versions(self, consumer: ConsumerInGroup) -> tuple[VersionState, ...]:
        """Each version of a consumer and the Pods of its Deployment, which is in the group's namespace."""
        there = self._deployments.get(consumer.group.metadata.namespace, {})
        return tuple(
            VersionState(version, name, _of_deployment(there[name]) if name in there else None)
            for version in consumer.spec.versions
            for name in [consumer.workload(version)]
        )

    def _count(self, service: ServiceInGroup, version: str) -> PodCount | None:
        known = service_name(service.host)
        if known is None:
            return None
        place = known.namespace
        if found := deployment(service, version, self._deployments.get(place, {})):
            return _of_deployment(found)
        if place not in self._pods:
            return None
        labels = service.spec.versions[version].labels
        pods = self._with({**self._selector(place, known.name), **labels}, place)
        return PodCount(sum(map(is_ready, pods)), len(pods))

    def _selector(self, place: str, name: str) -> Mapping[str, str]:
        found: Mapping[str, Any] = self._services.get(place, {}).get(name, {})
        return found.get("spec", {}).get("selector") or {}

    def _with(self, labels: Mapping[str, str], place: str) -> list[Manifest]:
        fewest = min((self._pods[place].get(label, []) for label in labels.items()), key=len)
        return [pod for pod in fewest if labels.items() <= pod["metadata"]["labels"].items()]


def _of_deployment(found: Manifest) -> PodCount:
    return PodCount(found.get("status", {}).get("readyReplicas", 0), found["spec"].get("replicas", 1))


def _lives(pod: Manifest) -> bool:
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not is_leaving(pod)
