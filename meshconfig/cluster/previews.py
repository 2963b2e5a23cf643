"""Lane objects in the cluster: `spec` is a person's or Git's; the controller writes status and finalizer."""

import json
from datetime import UTC, datetime
from typing import Literal

from meshconfig.backend.kinds import GRAYLANE
from meshconfig.cluster import custom
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import MERGE, CustomObject
from meshconfig.cluster.objects import MANAGER, Key, Manifest
from meshconfig.cluster.paths import collection, path
from meshconfig.errors import ApiError, Location
from meshconfig.spec import PreviewLane
from meshconfig.spec.base import validate
from meshconfig.spec.preview import KEEP_UNTIL, moment

KIND = "Lane"
FINALIZER = f"{GRAYLANE}/lane"  # held until routes, Pods and hook are done with, in this order
FORBIDDEN = 403
Phase = Literal["Pending", "Ready", "Ending", "Failed"]


class PreviewObject(CustomObject):
    """A Lane object as it was read. Its name is the tag's value."""

    __slots__ = ()

    @property
    def group(self) -> str:
        """The name of its LaneGroup; empty where its spec has none."""
        spec = self.manifest.get("spec")
        return str(spec.get("group") or "") if isinstance(spec, dict) else ""

    @property
    def created(self) -> datetime:
        """In UTC."""
        return moment(self.metadata.get("creationTimestamp")) or datetime.now(UTC)

    @property
    def phase(self) -> str:
        """Empty until a controller has seen it."""
        return str(self.status.get("phase") or "")

    @property
    def expires(self) -> datetime | None:
        """When the controller deletes it, as its status says."""
        return moment(self.status.get("expires"))

    @property
    def ends(self) -> datetime | None:
        """When it ends: as its status says, or as it was prolonged since. None if no controller has said it."""
        known = (self.expires, moment(self.annotations.get(KEEP_UNTIL)))
        return max((time for time in known if time), default=None)

    @property
    def link(self) -> str:
        return str(self.status.get("link") or "")

    @property
    def ready_since(self) -> datetime | None:
        return moment(self.status.get("readySince"))

    @property
    def versions(self) -> dict[str, dict[str, str]]:
        """The labels of the lane's version of each service that is routed, or is about to be.

        It is written before the group may route anything: what is not in it has never been routed.
        """
        found = self.status.get("versions")
        return {
            str(one.get("service")): {str(name): str(value) for name, value in dict(one.get("labels") or {}).items()}
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict)
        }

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces, besides its own, where a controller has made something for it."""
        found = self.status.get("namespaces")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def admitted(self) -> bool:
        """Whether a controller has begun to make it so."""
        return FINALIZER in self.finalizers

    def spec(self) -> PreviewLane:
        """The lane that it describes.

        Raises:
            InputError: it is not valid; each problem names the field.
        """
        metadata = {name: self.metadata[name] for name in ("name", "namespace")}
        value = {"apiVersion": f"{GRAYLANE}/v1", "kind": KIND, "metadata": metadata, "spec": self.manifest.get("spec")}
        where = Location(str(self.key))
        return validate(PreviewLane, value, lambda path: where)


def written(time: datetime) -> str:
    """A time as RFC 3339 writes it, in whole seconds of UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read(client: Client, namespace: str, name: str) -> PreviewObject | None:
    """None where there is no such object, or the cluster does not have this kind. One call."""
    found = client.get(path(Key(KIND, namespace, name)))
    return PreviewObject({"kind": KIND, **found}) if found else None


def each(client: Client, namespace: str, group: str = "") -> list[PreviewObject]:
    """The Lanes of a namespace, or of one group there, the oldest first; none where the cluster has no such kind.

    Raises:
        ClusterError: they cannot be read. An API server refuses who may not list a kind before it says that it has
            none, so that an account from before there were Lanes needs no right for them.
    """
    try:
        found = list(map(PreviewObject, client.list_resources(KIND, namespace)))
    except ApiError as error:
        if error.status != FORBIDDEN or custom.is_served(client, KIND):
            raise
        return []
    return sorted((one for one in found if not group or one.group == group), key=lambda one: (one.created, one.name))


def apply(client: Client, document: Manifest, *, force: bool = False, dry_run: bool = False) -> PreviewObject:
    """Server-side apply of a Lane as the field manager `graylane`.

    Parameters:
        document: apiVersion, kind, metadata with name and namespace, and spec.

    Raises:
        Conflict: other managers own fields; `causes` names each field and its manager.
        ApiError: the API server refuses the spec; 404 where the cluster does not have the kind.
    """
    return PreviewObject(custom.apply(client, document, force=force, dry_run=dry_run))


def keep_until(client: Client, namespace: str, name: str, until: datetime, version: str = "") -> PreviewObject:
    """Prolongs a lane: sets the annotation, as `kubectl annotate` does.

    Parameters:
        version: the resourceVersion that it must still have; empty for any.

    Raises:
        Conflict: it has been changed since it had that version.
        ApiError: 404 where there is no such Lane.
    """
    metadata = {"annotations": {KEEP_UNTIL: written(until)}, **({"resourceVersion": version} if version else {})}
    body = json.dumps({"metadata": metadata})
    where = path(Key(KIND, namespace, name))
    return PreviewObject(
        {"kind": KIND, **client.request("PATCH", where, body, query={"fieldManager": MANAGER}, content_type=MERGE)}
    )


def delete(client: Client, namespace: str, name: str) -> None:
    """Asks for the deletion; routes and Pods go before the object does. A missing one is no error."""
    client.delete(Key(KIND, namespace, name))


def create(client: Client, document: Manifest) -> PreviewObject:
    """Creates a Lane, and changes none that is there.

    Raises:
        Conflict: there is one of its name.
        ApiError: the API server refuses the spec; 404 where the cluster does not have the kind.
    """
    where = collection(KIND, document["metadata"]["namespace"])
    return PreviewObject({"kind": KIND, **client.request("POST", where, document, query={"fieldManager": MANAGER})})
