"""Deployments in the cluster: read, apply, wait until their Pods are ready, scale, delete."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import MANAGER, Key, Manifest, key
from meshconfig.cluster.owned import label
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError
from meshconfig.spec import LaneGroup

POLL = 0.5  # seconds between two reads of a Deployment while waiting
MERGE = "application/merge-patch+json"


class NotReadyError(ClusterError):
    """A Deployment's Pods were not ready in time. The Deployment stays, so that the user can look at it."""


@dataclass(frozen=True, slots=True)
class DeploymentProgress:
    """The ready and wanted Pods of a Deployment. `reason` is why a Pod is not ready, in Kubernetes' words, or empty."""

    ready: int
    wanted: int
    reason: str = ""


def deployment(group: LaneGroup, service: str, version: str) -> Key:
    """The Deployment of a version, in its Service's namespace."""
    here = group.service(service)
    return Key("Deployment", here.namespace, here.workload(version))


def sharing(groups: Iterable[LaneGroup], name: Key, but: tuple[str, str]) -> list[str]:
    """The versions that share a Deployment, apart from version `but` (service, version) of the first group."""
    return [
        f"{service} {version}"
        for number, group in enumerate(groups)
        for service, spec in group.spec.services.items()
        for version in spec.versions
        if (number, service, version) != (0, *but) and deployment(group, service, version) == name
    ]


def read(client: Client, name: Key) -> Manifest | None:
    found: Manifest | None = client.get(path(name))
    return found


def must(client: Client, name: Key) -> Manifest:
    """Raises: ClusterError: there is no such Deployment."""
    if found := read(client, name):
        return found
    raise ClusterError(f"there is no {name}")


def scaled(client: Client, name: Key) -> bool:
    """Whether a HorizontalPodAutoscaler sets the Deployment's number of replicas."""
    autoscalers = client.list_resources("HorizontalPodAutoscaler", name.namespace)
    targets = [one["spec"].get("scaleTargetRef") or {} for one in autoscalers]
    return any(target.get("kind") == name.kind and target.get("name") == name.name for target in targets)


def check_free(client: Client, manifest: Manifest, group: str) -> None:
    """Check that the name of a new Deployment is free. An unfinished Deployment of the same group is accepted.

    Raises:
        ClusterError: a Deployment of others has the name.
    """
    found = read(client, key(manifest))
    if found is not None and label(found) != group:
        whose = f"group {label(found)}'s" if label(found) else "not graylane's"
        raise ClusterError(f"{key(manifest)} exists already and is {whose}: nothing was changed")


def apply(client: Client, manifest: Manifest, *, dry_run: bool = False) -> None:
    """Raises: Conflict: fields of it belong to others."""
    client.apply(manifest, dry_run=dry_run)


def scale(client: Client, name: Key, replicas: int) -> None:
    """Set the number of Pods of a Deployment, and nothing else."""
    body = {"spec": {"replicas": replicas}}
    query = {"fieldManager": MANAGER}
    client.request("PATCH", f"{path(name)}/scale", body, query=query, content_type=MERGE)


def wait(
    client: Client, name: Key, timeout: float, tell: Callable[[DeploymentProgress], None] = lambda pods: None
) -> DeploymentProgress:
    """Return when all Pods of a Deployment are ready.

    Parameters:
        timeout: seconds.

    Raises:
        NotReadyError: they are not ready in time; the message has the reason.
    """
    end = time.monotonic() + timeout
    while True:
        found = read(client, name)
        if found is None:
            raise NotReadyError(f"{name} was deleted while its Pods were waited for")
        now = progress(found)
        if now.ready >= now.wanted:
            tell(now)
            return now
        now = DeploymentProgress(now.ready, now.wanted, reason(client, found))
        tell(now)
        if time.monotonic() >= end:
            why = f": {now.reason}" if now.reason else ""
            raise NotReadyError(f"{now.ready} of {now.wanted} Pods of {name} ready after {timeout:g} s{why}")
        time.sleep(POLL)


def progress(live: Manifest) -> DeploymentProgress:
    """The progress by the Deployment's status. Only ready Pods of the current template count.

    The status does not say of which template those are that are ready. During a rolling update the others are ready,
    as that takes none of them away before: so that many are left out.
    """
    status = live.get("status") or {}
    updated = status.get("updatedReplicas") or 0
    others = max(0, (status.get("replicas") or 0) - updated)
    ready = max(0, min(updated, (status.get("readyReplicas") or 0) - others)) if _observed(live) else 0
    return DeploymentProgress(ready, live["spec"].get("replicas", 1))


def _observed(live: Manifest) -> bool:
    generation: int = (live.get("status") or {}).get("observedGeneration") or 0
    return generation >= (live["metadata"].get("generation") or 0)


def reason(client: Client, live: Manifest) -> str:
    """Why its Pods are not ready, from the conditions of the Deployment and the containers of its Pods."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    for one in conditions:
        failed = one["type"] == "ReplicaFailure" and one["status"] == "True"
        if failed or (one["type"] == "Progressing" and one["status"] == "False"):
            return str(one.get("message", one.get("reason", "")))
    wanted = (live["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{label}={value}" for label, value in wanted.items())
    for pod in client.list_resources("Pod", live["metadata"]["namespace"], selector):
        if found := _pod_reason(pod):
            return f"Pod {pod['metadata']['name']}: {found}"
    return ""


def _pod_reason(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message", ""))))
    for one in status.get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False" and one.get("message"):
            return str(one["message"])
    return ""


def delete(client: Client, live: Manifest) -> None:
    """Delete exactly this Deployment (by UID), not one that replaced it. Kubernetes then deletes its Pods."""
    options = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"}
    client.request("DELETE", path(key(live)), options)
