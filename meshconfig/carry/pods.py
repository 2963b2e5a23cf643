"""Which version of a group a Pod is, by the labels of Pods and the selectors of Services."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshconfig.carry.lanes import Workload
from meshconfig.istio.hosts import service_name
from meshconfig.spec import LaneGroup

Manifest = Mapping[str, Any]
HASH = "pod-template-hash"


def versions_of(group: LaneGroup, services: Iterable[Manifest], pods: Iterable[Manifest]) -> dict[str, Workload]:
    """The Pods of the group's versions, by `namespace/name`. A Pod that fits versions of two services is left out.

    Parameters:
        services: the Services of the group's namespaces; a version's Pods have its Service's selector too.
    """
    selectors = {_key(one): (one.get("spec") or {}).get("selector") or {} for one in services}
    wanted: list[tuple[str, Mapping[str, str], Workload]] = []
    for service in group.inside():
        host = service_name(service.host)
        if host is None:
            continue
        selector = selectors.get(f"{host.namespace}/{host.name}", {})
        for version, one in service.spec.versions.items():
            wanted.append((host.namespace, {**selector, **one.labels}, Workload(service.name, version)))
    found = {}
    for pod in pods:
        fitting = set(_fitting(pod, wanted))
        if len(fitting) == 1:
            found[_key(pod)] = fitting.pop()
    return found


def _fitting(pod: Manifest, wanted: Iterable[tuple[str, Mapping[str, str], Workload]]) -> Iterator[Workload]:
    labels = pod["metadata"].get("labels") or {}
    for namespace, asked, workload in wanted:
        if namespace == pod["metadata"]["namespace"] and asked.items() <= labels.items():
            yield workload


def workloads_of(
    group: LaneGroup, pods: Iterable[Manifest], versions: Mapping[str, Workload]
) -> dict[tuple[str, str], Workload]:
    """The versions by namespace and name of their Deployment or other workload, as Istio's metrics name them."""
    inside = group.inside()
    found = {
        (service.namespace, service.workload(version)): Workload(service.name, version)
        for service in inside
        for version in service.spec.versions
    }
    for pod in pods:
        if (workload := versions.get(_key(pod))) and (name := _controller(pod["metadata"])):
            found[pod["metadata"]["namespace"], name] = workload
    return found


def _controller(metadata: Manifest) -> str:
    """The name of what made the Pod: its controller, or the Deployment of its ReplicaSet.

    Source: istio pkg/kube, GetDeployMetaFromPod.
    """
    owners = (one["name"] for one in metadata.get("ownerReferences") or () if one.get("controller"))
    name = next(owners, "")
    suffix = (metadata.get("labels") or {}).get(HASH)
    return name.removesuffix(f"-{suffix}") if suffix else name


def _key(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
