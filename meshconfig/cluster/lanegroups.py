"""LaneGroup objects in the cluster: read, applied by people, and what the controller writes: status and finalizer.

The controller never writes `spec`: that is Git's, or of whoever applies the object.
"""

from datetime import UTC, datetime

from meshconfig.backend.kinds import GRAYLANE
from meshconfig.cluster import custom
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import CustomObject
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.paths import path
from meshconfig.errors import ApiError, ClusterError, InputError, Location
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import validate

KIND = "LaneGroup"
FINALIZER = f"{GRAYLANE}/routes"  # held until the group's routes are taken away in order
ADOPT = f"{GRAYLANE}/adopt"  # annotation: "true" has the controller do what `graylane apply --adopt` does


class GroupObject(CustomObject):
    """A LaneGroup object as it was read."""

    __slots__ = ()

    @property
    def written(self) -> datetime | None:
        """When its spec, or anything but its status, was written last, or its deletion asked for. UTC."""
        fields = self.metadata.get("managedFields") or ()
        times = [one.get("time") for one in fields if not one.get("subresource")]
        deletion = [self.metadata.get(name) for name in ("creationTimestamp", "deletionTimestamp")]
        return max((moment for text in (*times, *deletion) if (moment := _moment(text))), default=None)

    @property
    def revision(self) -> int | None:
        """The revision in the history that the controller has made of it last."""
        found = self.status.get("revision")
        return found if isinstance(found, int) else None

    @property
    def backend(self) -> str:
        """The backend that its spec names, whether the rest is valid or not; empty where it names none."""
        found = self.manifest.get("spec")
        return str(found.get("backend") or "") if isinstance(found, dict) else ""

    @property
    def places(self) -> frozenset[str]:
        """The namespaces in which it has resources: its own, and those of its services if its spec is valid."""
        try:
            group = self.spec()
        except InputError:
            return frozenset([self.namespace])
        return frozenset([self.namespace, *(group.service(name).namespace for name in group.spec.services)])

    @property
    def progress(self) -> tuple[object, ...]:
        return *super().progress, self.revision

    def listed(self, name: str) -> tuple[str, ...]:
        """A list of names in the status: `lanes` or `rollouts`."""
        return tuple(map(str, self.status.get(name) or ()))

    def spec(self) -> LaneGroup:
        """The group that it describes.

        Raises:
            InputError: it is not valid, or does not compile; each problem names the field.
        """
        metadata = {name: self.metadata[name] for name in ("name", "namespace")}
        value = {"apiVersion": f"{GRAYLANE}/v1", "kind": KIND, "metadata": metadata, "spec": self.manifest.get("spec")}
        where = Location(str(self.key))
        return validate(LaneGroup, value, lambda path: where)


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def read(client: Client, namespace: str, name: str) -> GroupObject | None:
    """None where there is no such object, or the cluster does not have this kind. One call."""
    found = client.get(path(Key(KIND, namespace, name)))
    return GroupObject({"kind": KIND, **found}) if found else None


def find(client: Client, namespace: str, name: str) -> GroupObject | None:
    """The same for a caller that may lack the right: it needs none where the cluster does not have this kind.

    Raises:
        ClusterError: the cluster has the kind, and the caller may not read the object.
    """
    try:
        return read(client, namespace, name)
    except ApiError as error:
        if error.status != 403:
            raise
        if not custom.is_served(client, KIND):
            return None
        said = f"{Key(KIND, namespace, name)} cannot be read, so that nobody knows whether a controller has this group"
        raise ClusterError(f"{said}: {error}; grant get on lanegroups.{GRAYLANE}: docs/rbac.md") from None


def apply(client: Client, document: Manifest, *, force: bool = False, dry_run: bool = False) -> GroupObject:
    """Server-side apply of a group as the field manager `graylane`, as a person does it by `kubectl apply`.

    Parameters:
        document: apiVersion, kind, metadata with name and namespace, and spec.
        force: take over fields that other managers own, such as a GitOps controller.

    Raises:
        Conflict: other managers own fields; `causes` names each field and its manager.
        ApiError: the API server refuses the spec, or the caller may not write the object.
    """
    return GroupObject(custom.apply(client, document, force=force, dry_run=dry_run))


def delete(client: Client, namespace: str, name: str) -> None:
    """Asks for the deletion; the controller takes the routes away before the object goes. A missing one is no error."""
    client.delete(Key(KIND, namespace, name))


def check_served(client: Client) -> None:
    """
    Raises:
        ClusterError: the cluster does not have graylane's kinds. One call.
    """
    if not custom.is_served(client, KIND):
        raise ClusterError(f"this cluster has no kind {KIND}; to install it: {custom.INSTALL}")
