"""What the controller makes for a Lane, as it is in the cluster: Deployments and Jobs."""

from collections.abc import Iterable

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.workloads import live
from meshconfig.errors import ApiError
from meshconfig.istio.labels import LANE
from meshconfig.preview.hooks import HOOK, When

NOT_FOUND, CONFLICT = 404, 409


def deployments(client: Client, namespaces: Iterable[str], lane: str) -> dict[Key, Manifest]:
    """The Deployments with the label of a lane. One call for a namespace."""
    found = (one for place in namespaces for one in client.list_resources("Deployment", place, f"{LANE}={lane}"))
    return {key(one): one for one in found}


def jobs(client: Client, namespace: str, lane: str, when: When) -> list[Manifest]:
    """The Jobs of a lane, of whichever Lane object of its name. One call."""
    return client.list_resources("Job", namespace, f"{LANE}={lane},{HOOK}={when}")


def create(client: Client, manifest: Manifest) -> None:
    """Creates a Job; one that is there already is no error: its name is that of one Lane object alone."""
    try:
        client.request("POST", collection(manifest["kind"], manifest["metadata"]["namespace"]), manifest)
    except ApiError as error:
        if error.status != CONFLICT:
            raise


def delete(client: Client, found: Manifest) -> None:
    """Deletes exactly this object, and with it its Pods. It stays until they are gone, so that a watch tells of that.

    Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#foreground-deletion
    """
    options = {"preconditions": {"uid": found["metadata"]["uid"]}, "propagationPolicy": "Foreground"}
    try:
        client.request("DELETE", path(key(found)), options)
    except ApiError as error:
        if error.status not in (NOT_FOUND, CONFLICT):  # it is gone, or another one is there
            raise


def has_its_pods(found: Manifest) -> bool:
    """Whether all Pods of a Deployment are ready. One that is scaled to 0 has none that could answer."""
    pods = live.progress(found)
    return 0 < pods.wanted <= pods.ready


def is_going(found: Manifest) -> bool:
    return bool(found["metadata"].get("deletionTimestamp"))
