"""The order in which pilot takes resources of one kind."""

from collections.abc import Mapping
from typing import Any

from meshconfig.istio import Resource


def by_creation(resource: Resource[Any]) -> tuple[str, str, str]:
    """Sorts the oldest first; those of equal age, as what is not in a cluster yet, by name and then namespace.

    Source: pilot model/config.go, configCompareByCreationTime.
    """
    metadata = resource.manifest.get("metadata")
    created = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    # Kubernetes writes it in one form, so that its text sorts as the time does; what has none is yet to be created.
    return str(created or "yet to come"), resource.name, resource.namespace
