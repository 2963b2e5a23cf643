"""Objects of graylane's own kinds: read, applied by people, and what the controller writes: status and finalizers.

The controller never writes `spec`: that is Git's, or of whoever applies the object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from meshconfig.backend.kinds import KINDS
from meshconfig.cluster.client import APPLY, Client
from meshconfig.cluster.objects import MANAGER, Key, Manifest, key
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError

MERGE = "application/merge-patch+json"
CONTROLLER = "graylane-controller"  # the field manager of what a controller writes
LARGEST = 1_500_000  # bytes of an object as JSON: etcd takes requests of 1.5 MiB, with what the API server adds
INSTALL = "graylane crds | kubectl apply --server-side -f -"


@dataclass(frozen=True, slots=True)
class ChangeUnderWay:
    """The plan that the controller carries out, as `status.change` has it. Steps count from 1."""

    steps: int
    step: int
    title: str
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomObject:
    """An object as it was read.

    Parameters:
        manifest: all of it, with its kind.
    """

    manifest: Manifest = field(repr=False)

    @property
    def key(self) -> Key:
        return key(self.manifest)

    @property
    def namespace(self) -> str:
        return str(self.metadata["namespace"])

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def writer(self) -> str:
        """The field manager that has written a field of its spec last; empty if nobody knows."""
        entries = [one for one in self.metadata.get("managedFields") or () if "f:spec" in (one.get("fieldsV1") or {})]
        latest = sorted(entries, key=lambda one: str(one.get("time", "")))[-1:]
        return str(latest[0].get("manager") or "") if latest else ""

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def generation(self) -> int:
        """Counts the changes of `spec`."""
        return int(self.metadata.get("generation", 0))

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def finalizers(self) -> tuple[str, ...]:
        return tuple(self.metadata.get("finalizers") or ())

    @property
    def status(self) -> Mapping[str, Any]:
        found = self.manifest.get("status")
        return found if isinstance(found, dict) else {}

    @property
    def observed(self) -> int:
        """The generation that the controller has seen last; 0 for none."""
        return int(self.status.get("observedGeneration") or 0)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition, such as Ready; empty where there is none."""
        return next((one for one in self.conditions if one.get("type") == kind), {})

    @property
    def conditions(self) -> tuple[Mapping[str, Any], ...]:
        found = self.status.get("conditions")
        return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()

    def is_true(self, kind: str) -> bool:
        return self.condition(kind).get("status") == "True"

    @property
    def change(self) -> ChangeUnderWay | None:
        found = self.status.get("change")
        if not isinstance(found, dict):
            return None
        steps, step = (int(found.get(name) or 0) for name in ("steps", "step"))
        waiting = tuple(map(str, found.get("waitingFor") or ()))
        return ChangeUnderWay(steps, step, str(found.get("title", "")), waiting)

    @property
    def progress(self) -> tuple[object, ...]:
        """What is different after each step of a controller's work."""
        change = self.change
        step = (change.steps, change.step, change.title) if change else None
        return self.generation, self.observed, self.deleting, self.condition("Reconciling").get("reason"), step

    @property
    def under_way(self) -> str:
        """`step 2 of 5 (routes of cat), waiting for demo/cat-1`, or what the controller says it does."""
        change = self.change
        if change is None:
            return str(self.condition("Ready").get("message") or "the controller says nothing")
        waiting = f", waiting for {', '.join(change.waiting_for[:2])}" if change.waiting_for else ""
        return f"step {change.step} of {change.steps} ({change.title}){waiting}"

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.manifest["metadata"]
        return metadata

    def answered(self, answer: Manifest) -> Self:
        """The object as the API server answered it, without what its kind is."""
        return type(self)({"kind": self.manifest["kind"], **answer})


class OversizedObjectError(ClusterError):
    """An object is larger than what an API server stores; nothing was written."""

    def __init__(self, document: Manifest, size: int) -> None:
        super().__init__(
            f"{key(document)} is too large: it takes {size // 1000} kB, and an API server stores {LARGEST // 1000} kB; "
            "split the group into several groups"
        )


T = TypeVar("T", bound=CustomObject)


def apply(client: Client, document: Manifest, *, force: bool = False, dry_run: bool = False) -> Manifest:
    """Server-side apply of an object as the field manager `graylane`, as a person does it by `kubectl apply`.

    Parameters:
        document: apiVersion, kind, metadata with name and namespace, and spec.
        force: take over fields that other managers own, such as a GitOps controller.

    Raises:
        Conflict: other managers own fields; `causes` names each field and its manager.
        ApiError: the API server refuses the spec, or the caller may not write the object.
        OversizedObjectError: it is larger than what an API server stores.
    """
    query = {"fieldManager": MANAGER, **({"force": "true"} if force else {}), **({"dryRun": "All"} if dry_run else {})}
    body = json.dumps(document, separators=(",", ":"))
    if len(body) > LARGEST:
        raise OversizedObjectError(document, len(body))
    answer = client.request("PATCH", path(key(document)), body, query=query, content_type=APPLY)
    return {"kind": document["kind"], **answer}


def add_finalizer(client: Client, one: T, finalizer: str) -> T:
    """Has an object stay after its deletion until the finalizer is taken away.

    Raises:
        Conflict: somebody wrote the object in between.
    """
    return _put_finalizers(client, one, (*one.finalizers, finalizer))


def _put_finalizers(client: Client, one: T, finalizers: tuple[str, ...]) -> T:
    metadata = {"finalizers": list(finalizers), "resourceVersion": one.version}
    query = {"fieldManager": CONTROLLER}
    body = json.dumps({"metadata": metadata})
    return one.answered(client.request("PATCH", path(one.key), body, query=query, content_type=MERGE))


def drop_finalizer(client: Client, one: T, finalizer: str) -> T:
    """Takes one finalizer away, so that the object may go.

    Raises:
        Conflict: somebody wrote the object in between.
    """
    return _put_finalizers(client, one, tuple(each for each in one.finalizers if each != finalizer))


def put_status(client: Client, one: Key, status: Mapping[str, Any]) -> None:
    """Writes fields of a status; one that is None is taken away.

    Raises:
        ApiError: 404 where the object is gone.
    """
    query, body = {"fieldManager": CONTROLLER}, json.dumps({"status": status})
    client.request("PATCH", f"{path(one)}/status", body, query=query, content_type=MERGE)


def namespace_ends(client: Client, namespace: str) -> bool:
    """Whether a namespace is being deleted, or gone: everything in it goes at once, in no order. One call."""
    found = client.get(path(Key("Namespace", "", namespace)))
    return found is None or bool(found["metadata"].get("deletionTimestamp"))


def is_served(client: Client, kind: str) -> bool:
    """Whether the cluster has one of graylane's kinds: whether its CustomResourceDefinition is installed. One call."""
    found = client.get(f"/apis/{KINDS[kind].api}") or {}
    return any(one.get("kind") == kind for one in found.get("resources") or ())
