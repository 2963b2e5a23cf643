"""The preview lanes of a group that may be routed, or are about to be, as they are in the cluster."""

from collections.abc import Mapping

from meshconfig.cluster import previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.previews import PreviewObject
from meshconfig.errors import InputError
from meshconfig.preview.overlay import Routed
from meshconfig.spec.preview import version_labels


def routed(client: Client, namespace: str, group: str) -> list[Routed]:
    """Those that a controller has begun to make, and that are not about to go. One call."""
    return [found for one in previews.each(client, namespace, group) if (found := may_be_routed(one))]


def may_be_routed(one: PreviewObject) -> Routed | None:
    """A lane as its group may have it now; None where it may not.

    Its status says which versions have been ready. Those that its spec does not have any more go at once. Before it
    says any, the clones of its spec are coming, whether or not they are made: all who plan the group know it by the
    object alone. Pods that exist are not among them: only its maker judges whether their labels are its alone.
    """
    if one.deleting:
        return None
    if not one.versions:
        return _coming(one)
    spec = one.manifest.get("spec")
    asked = spec.get("versions") if isinstance(spec, Mapping) else None
    versions = {service: labels for service, labels in one.versions.items() if service in (asked or ())}
    return Routed(one.name, versions, created=one.created) if versions else None


def _coming(one: PreviewObject) -> Routed | None:
    if not one.admitted:
        return None
    try:
        lane = one.spec()
    except InputError:
        return None
    clones = [service for service, version in lane.spec.versions.items() if version.from_]
    labels = {service: version_labels(one.name, service) for service in clones}
    return Routed(one.name, {}, labels, one.created) if clones else None
