"""The Deployment of a preview lane's version, cloned from that of another version of the service.

The Pods keep all that they have: volumes, Secrets, ServiceAccount, host paths. Who may write Lanes cannot change it.
What would make one of two things that look alike goes: the labels of the version, and the Deployment's own labels and
annotations, by which Argo CD, Helm and image updaters know what is theirs.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.workloads.clone import clean, overlaps
from meshconfig.errors import ClusterError
from meshconfig.istio.labels import LANE, LANE_SERVICE
from meshconfig.preview.images import repository
from meshconfig.render import GROUP, MANAGED_BY
from meshconfig.spec.preview import PreviewVersion, version_labels

UID = "graylane.dev/lane-uid"  # annotation of all that is made for a Lane: the uid of its object
NAMESPACE = "graylane.dev/lane-namespace"  # annotation of the same: the namespace of that object
MADE_OF = "graylane.dev/lane-version"  # annotation of a clone: a digest of the version in the Lane's spec
# What a clone takes of `spec` as it is. `paused` would keep it without Pods.
_KEPT = ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
RECREATE = "Recreate"
Value = dict[str, Any]
Labels = Mapping[str, str]


class CloneError(ClusterError):
    """A Deployment cannot be cloned for a lane until a person changes something; the message says what."""


@dataclass(frozen=True, slots=True)
class LaneIdentity:
    """Whose a Deployment or Job is.

    Parameters:
        uid: of the Lane object: another one of the same name gets nothing of it.
        namespace: of the Lane object: what is made for it may be in another one.
    """

    name: str
    group: str
    uid: str
    namespace: str

    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: "graylane", GROUP: self.group, LANE: self.name}

    def annotations(self) -> dict[str, str]:
        return {UID: self.uid, NAMESPACE: self.namespace}

    def owns(self, manifest: Manifest) -> bool:
        """Whether something was made for this very Lane object."""
        metadata = manifest["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return labels.get(LANE) == self.name and annotations.get(UID) == self.uid

    def follows(self, manifest: Manifest) -> bool:
        """Whether something was made for a Lane object of the same name and namespace: this one, or an earlier one."""
        metadata = manifest["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return labels.get(LANE) == self.name and annotations.get(NAMESPACE) == self.namespace


@dataclass(frozen=True, slots=True)
class Cloned:
    """What a clone is made by.

    Parameters:
        name: of the new Deployment.
        old: labels of the version that is cloned: those of its Pods alone, and those by which others fall back to it.
        others: the labels of the service's versions, by name.
        selector: that of the Kubernetes Service.
        port: of the Service; `target` is the container's port, as a number or a name.
    """

    lane: LaneIdentity
    name: str
    service: str
    version: PreviewVersion
    old: Labels
    others: Mapping[str, Labels]
    selector: Labels
    port: int
    target: int | str | None = None


def is_made_of(manifest: Manifest, version: PreviewVersion) -> bool:
    """Whether a clone is of the version as the Lane's spec has it now. What is cloned may have changed since."""
    return (manifest["metadata"].get("annotations") or {}).get(MADE_OF) == digest(version)


def digest(version: PreviewVersion) -> str:
    return hashlib.sha256(version.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


def clone(source: Manifest, wish: Cloned) -> Manifest:
    """The Deployment, without anything that the server or a tool added to the one that is cloned.

    Its selector is made of the lane's labels alone: it selects no other Pods, and stays the same whatever is cloned.

    Raises:
        CloneError: it is not clear which container runs the service, or the Pods would count as those of another
            version.
    """
    template: Value = deepcopy(source["spec"]["template"])
    metadata = template.setdefault("metadata", {})
    metadata.pop("creationTimestamp", None)
    clean(metadata)
    metadata["labels"] = _pod_labels(metadata.get("labels") or {}, wish)
    _edit(container(template["spec"].get("containers") or [], wish), wish.version)
    mine = version_labels(wish.lane.name, wish.service)
    about = {
        "name": wish.name,
        "namespace": source["metadata"]["namespace"],
        "labels": {**wish.lane.labels(), LANE_SERVICE: wish.service},
        "annotations": {**wish.lane.annotations(), MADE_OF: digest(wish.version)},
    }
    spec = {name: deepcopy(source["spec"][name]) for name in _KEPT if name in source["spec"]}
    spec["strategy"] = _strategy(source["spec"].get("strategy") or {})
    spec |= {"replicas": wish.version.replicas, "selector": {"matchLabels": mine}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": spec}


def _strategy(given: Value) -> Value:
    """How a new image replaces the Pods: the new ones are ready before the old ones go, so that requests reach one.

    A version of many Pods may do without some of them; of one Pod, `maxUnavailable: 1` takes that one first. Where
    Pods of two images must not run at the same time, as `Recreate` says, it stays so.
    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy
    """
    if given.get("type") == RECREATE:
        return {"type": RECREATE}
    surge = (given.get("rollingUpdate") or {}).get("maxSurge", 1)
    rolling = {"maxUnavailable": 0, "maxSurge": 1 if surge in (0, "0%") else surge}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def _pod_labels(given: Labels, wish: Cloned) -> dict[str, str]:
    """Raises: CloneError: the Pods would be those of another version, too."""
    labels = {**given, **version_labels(wish.lane.name, wish.service)}
    for name, value in wish.old.items():
        if given.get(name) == value and name not in wish.selector:
            labels[name] = wish.lane.name
    for version, theirs in wish.others.items():
        if theirs and theirs.items() <= labels.items():
            shown = ",".join(f"{name}={value}" for name, value in sorted(theirs.items()))
            raise CloneError(
                f"a clone of {wish.service} {wish.version.from_} would count as version {version}, because its Pods "
                f"need {shown} for the Service: give version {version} a label that the Service does not select by"
            )
    return labels


def container(given: list[Value], wish: Cloned) -> Value:
    """The container that runs the service: the only one; the one that runs the given image, in whatever version; the
    one with the service's name; the one that listens on the Service's port.

    Raises:
        CloneError: it is not clear which; the message lists all containers.
    """
    image = wish.version.image
    if len(given) == 1:
        return given[0]
    for chosen in (
        [one for one in given if image and repository(str(one.get("image", ""))) == repository(image)],
        [one for one in given if one.get("name") == wish.service],
        [one for one in given if _listens(one, wish)],
    ):
        if len(chosen) == 1:
            return chosen[0]
    listed = "; ".join(f"{one.get('name')} ({one.get('image', 'no image')})" for one in given) or "none"
    raise CloneError(
        f"which container of {wish.service} {wish.version.from_} runs the service? None alone has the image "
        f"{image or '(none is given)'} in another version, the name {wish.service}, or the port "
        f"{wish.target or wish.port}: {listed}"
    )


def _listens(one: Value, wish: Cloned) -> bool:
    ports = one.get("ports") or ()
    if isinstance(wish.target, str):
        return any(each.get("name") == wish.target for each in ports)
    return any(each.get("containerPort") == (wish.target or wish.port) for each in ports)


def _edit(found: Value, version: PreviewVersion) -> None:
    if version.image:
        found["image"] = version.image
    if not version.env:
        return
    there = [
        {"name": one["name"], "value": version.env[one["name"]]} if one.get("name") in version.env else one
        for one in found.get("env") or ()
    ]
    names = {one.get("name") for one in there}
    found["env"] = there + [{"name": name, "value": value} for name, value in version.env.items() if name not in names]


def check_neighbours(
    source: Manifest, made: Manifest, services: Iterable[Manifest], own: Iterable[str], scalers: Iterable[Manifest]
) -> None:
    """
    Parameters:
        services: those of the namespace.
        own: the names of those that the group routes: their requests reach the lane by its routes alone.
        scalers: the HorizontalPodAutoscalers of the namespace.

    Raises:
        CloneError: a Service of others would send requests to the lane's Pods, or an autoscaler would count them.
    """
    labels, routed = made["spec"]["template"]["metadata"]["labels"], set(own)
    if caught := sorted(_selecting(labels, services) - routed):
        raise CloneError(
            f"Service {' and '.join(caught)} selects the Pods of {made['metadata']['name']} too, and no group routes "
            "it, so that untagged requests would reach the lane: add it to the group, or have it select by a label of "
            "the version"
        )
    if overlaps(source, made) and (counting := sorted(_scaling(source, scalers))):
        raise CloneError(
            f"HorizontalPodAutoscaler {' and '.join(counting)} would count the lane's Pods, because the selector of "
            f"{source['metadata']['name']} chooses them too: give that selector a label of the version"
        )


def _selecting(labels: Labels, services: Iterable[Manifest]) -> set[str]:
    found = ((one["metadata"]["name"], (one.get("spec") or {}).get("selector") or {}) for one in services)
    return {name for name, selector in found if selector and selector.items() <= labels.items()}


def _scaling(source: Manifest, scalers: Iterable[Manifest]) -> Iterator[str]:
    for one in scalers:
        target = one["spec"].get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == ("Deployment", source["metadata"]["name"]):
            yield one["metadata"]["name"]
