"""Resources as plain values: which one it is, and a set of them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Manifest = dict[str, Any]
MANAGER = "graylane"  # the field manager of all that graylane applies


class Key(NamedTuple):
    """Which resource: unique in a cluster among the kinds that graylane writes."""

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
