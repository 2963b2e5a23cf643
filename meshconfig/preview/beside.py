"""The preview lanes of a group that may be routed, as they are in the cluster."""

from collections.abc import Mapping

from meshconfig.cluster import previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.previews import PreviewObject
from meshconfig.preview.overlay import Routed


def routed(client: Client, namespace: str, group: str) -> list[Routed]:
    """Those whose status has versions and that are not about to go. One call."""
    return [found for one in previews.each(client, namespace, group) if (found := may_be_routed(one))]


def may_be_routed(one: PreviewObject) -> Routed | None:
    """A lane as its group may route it now; None where it may not.

    Its status says which versions have been ready. Those that its spec does not have any more go at once.
    """
    spec = one.manifest.get("spec")
    asked = spec.get("versions") if isinstance(spec, Mapping) else None
    versions = {service: labels for service, labels in one.versions.items() if service in (asked or ())}
    return Routed(one.name, versions) if versions and not one.deleting else None
