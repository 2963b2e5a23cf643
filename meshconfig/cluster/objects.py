"""Resources as plain values: the key of one resource, and sets of resources by key."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Manifest = dict[str, Any]
MANAGER = "graylane"  # the field manager of server-side apply


class Key(NamedTuple):
    """Identifies a resource in a cluster, among the kinds that graylane writes."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


State = Mapping[Key, Manifest]


def key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return Key(manifest["kind"], metadata["namespace"], metadata["name"])


def state(manifests: Iterable[Manifest]) -> dict[Key, Manifest]:
    return {key(manifest): manifest for manifest in manifests}
