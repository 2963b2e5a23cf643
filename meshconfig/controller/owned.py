"""Which resources of the mesh belong to which group, as watches tell it; and whether what somebody wrote matters.

Of each resource only a digest of its content is kept, so that an event that changes a status alone wakes nobody. What
an API server fills in by itself, such as the addresses of a Service, is there in the first event already.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

from meshconfig.cluster.objects import CONTENT, Key, Manifest, key
from meshconfig.cluster.owned import label
from meshconfig.cluster.watching import Change

GroupKey = tuple[str, str]  # namespace, name


class OwnedResources:
    """Thread-safe: each kind is watched by a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, tuple[str, bytes]] = {}  # the group's name in its label, and the digest

    def see(self, change: Change, manifest: Manifest) -> frozenset[str]:
        """Notes a change of a resource.

        Returns:
            The names of the groups that have to be looked at: the one that it belonged to, and the one that it does.
        """
        name, group = key(manifest), label(manifest)
        with self._lock:
            before = self._known.pop(name, None)
            now = (group, _digest(manifest)) if group and change is Change.THERE else None
            if now:
                self._known[name] = now
        if before == now:
            return frozenset()
        return frozenset(one[0] for one in (before, now) if one)


def _digest(manifest: Mapping[str, Any]) -> bytes:
    content = {name: manifest[name] for name in CONTENT if name in manifest}
    text = json.dumps([content, manifest["metadata"].get("labels")], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).digest()
