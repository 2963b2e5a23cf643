"""Clones a Deployment under a new name, with the new version's labels and image. No I/O here."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from meshconfig.cluster.objects import Manifest
from meshconfig.errors import ClusterError

# The server, kubectl, Helm and Argo CD write these about one resource. They would be wrong on a clone.
_METADATA = ("name", "namespace", "labels", "annotations")
_ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubectl.kubernetes.io/restartedAt",
    "meta.helm.sh/",
    "argocd.argoproj.io/",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """How the clone differs from the original.

    Parameters:
        old: the labels of the cloned version; `labels` are the new ones, with the same keys.
        image: the new image of the service's container: the only one, the one named `service`, or with port `port`.
        replicas: None copies the old number, or starts with 1 if an autoscaler manages the old or the new one.
        marks: labels of the Deployment itself, by which graylane recognises what it created.
    """

    name: str
    service: str
    port: int
    old: Mapping[str, str]
    labels: Mapping[str, str]
    image: str
    replicas: int | None = None
    scaled: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)


def clone(manifest: Manifest, wish: Wish) -> Manifest:
    """The new Deployment, without any field that the server or a tool added to the old one.

    Raises:
        ClusterError: several containers may be the one that runs the service.
    """
    template = deepcopy(manifest["spec"]["template"])
    template.setdefault("metadata", {}).pop("creationTimestamp", None)
    _relabel(template["metadata"], wish, all_of_them=True)
    clean(template["metadata"])
    container(template["spec"], wish)["image"] = wish.image
    spec = {name: deepcopy(part) for name, part in manifest["spec"].items() if name != "replicas"}
    spec |= {"selector": _selector(spec.get("selector") or {}, wish), "template": template}
    replicas = wish.replicas
    if replicas is None and not wish.scaled:
        replicas = manifest["spec"].get("replicas")
    if replicas is not None:
        spec = {"replicas": replicas, **spec}
    metadata = {name: deepcopy(part) for name, part in manifest["metadata"].items() if name in _METADATA}
    _relabel(metadata, wish, all_of_them=False)
    clean(metadata)
    metadata["name"] = wish.name
    if wish.marks:
        metadata["labels"] = {**(metadata.get("labels") or {}), **wish.marks}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata, "spec": spec}


def container(pod: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    """The container that runs the service.

    Raises:
        ClusterError: it is not clear which; the message lists all containers.
    """
    found: list[dict[str, Any]] = pod.get("containers") or []
    for choose in (lambda one: True, lambda one: one["name"] == wish.service, lambda one: _listens(one, wish.port)):
        chosen = [one for one in found if choose(one)]
        if len(chosen) == 1:
            return chosen[0]
    listed = "; ".join(f"{one['name']} ({one.get('image', 'no image')})" for one in found) or "none"
    raise ClusterError(
        f"which container runs {wish.service}? Neither is one named {wish.service}, nor is it told by the port "
        f"{wish.port}: {listed}"
    )


def overlaps(manifest: Manifest, made: Manifest) -> bool:
    """Whether the old Deployment's selector also selects the new one's Pods."""
    wanted = (manifest["spec"].get("selector") or {}).get("matchLabels") or {}
    labels = made["spec"]["template"]["metadata"].get("labels") or {}
    expressions = (manifest["spec"].get("selector") or {}).get("matchExpressions")
    return not expressions and all(labels.get(key) == value for key, value in wanted.items())


def mentions(made: Manifest, wish: Wish) -> Sequence[str]:
    """The places where the new Deployment's containers still name the old version, such as `args --env=v1`."""
    names = {value for key, value in wish.old.items() if wish.labels.get(key) != value}
    found = []
    for one in made["spec"]["template"]["spec"].get("containers") or ():
        words = [f"args {arg}" for arg in one.get("args") or () if arg.rpartition("=")[2] in names]
        words += [f"env {env['name']}={env['value']}" for env in one.get("env") or () if env.get("value") in names]
        found += [f"{one['name']}: {word}" for word in words]
    return found


def _listens(one: Mapping[str, Any], port: int) -> bool:
    return any(each.get("containerPort") == port for each in one.get("ports") or ())


def _selector(selector: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    expressions = [one for one in selector.get("matchExpressions") or () if one.get("key") not in wish.labels]
    found: dict[str, Any] = {"matchLabels": {**(selector.get("matchLabels") or {}), **wish.labels}}
    return {**found, "matchExpressions": expressions} if expressions else found


def _relabel(metadata: dict[str, Any], wish: Wish, *, all_of_them: bool) -> None:
    """Replace the old version's labels by the new ones; labels that the old Deployment lacked are not added."""
    labels = metadata.get("labels") or {}
    kept = {key: value for key, value in labels.items() if wish.old.get(key) != value}
    new = {key: value for key, value in wish.labels.items() if all_of_them or key in labels or key not in wish.old}
    if kept or new:
        metadata["labels"] = {**kept, **new}


def clean(metadata: dict[str, Any]) -> None:
    """Takes away the annotations and labels that the server or a tool has written about one resource."""
    for kind in ("annotations", "labels"):
        if metadata.get(kind) is None:
            continue
        metadata[kind] = {key: value for key, value in metadata[kind].items() if not key.startswith(_ANNOTATIONS)}
        if not metadata[kind]:
            del metadata[kind]
