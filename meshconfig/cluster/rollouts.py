"""Rollouts as the cluster keeps them: a ConfigMap each, written by compare-and-swap. What a state means, `rollout/` knows."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.paths import collection, path
from meshconfig.errors import ClusterError
from meshconfig.render import GROUP, MANAGED_BY

ROLLOUT = "graylane.dev/rollout"  # label: is there anything left to do?
ACTIVE, ENDED = "active", "ended"


@dataclass(frozen=True, slots=True)
class Stored:
    """One rollout.

    Parameters:
        state: as JSON; `shown` is what people see of it beside (`phase: Paused`).
        base: the group's document as it was before, empty until a runner has taken it up.
        version: the resourceVersion that was read, empty where it is new.
        created: RFC 3339, by the API server.
    """

    namespace: str
    name: str
    group: str
    active: bool
    state: str
    shown: Mapping[str, str] = field(default_factory=dict)
    base: bytes = field(default=b"", repr=False)
    version: str = ""
    created: str = ""

    @property
    def key(self) -> Key:
        """With a dot, which no group's name has: a revision's ConfigMap is never called so."""
        return Key("ConfigMap", self.namespace, f"graylane-rollout.{self.name}")


def read(client: Client, namespace: str, name: str) -> Stored | None:
    """One call."""
    found = client.get(path(Stored(namespace, name, "", False, "").key))
    return parse(found) if found else None


def stored(client: Client, namespace: str, *, group: str = "", active: bool = False) -> list[Stored]:
    """All of a namespace, of one group, or those with something left to do; the oldest first. One call."""
    selector = f"{MANAGED_BY}=graylane,{ROLLOUT}" + (f"={ACTIVE}" if active else "")
    found = client.list("ConfigMap", namespace, selector + (f",{GROUP}={group}" if group else ""))
    return sorted(map(parse, found), key=lambda one: (one.created, one.name))


def write(client: Client, one: Stored) -> Stored:
    """Create it, or replace the version that was read.

    Raises:
        Conflict: somebody wrote it in between, or made one of this name.
    """
    where = path(one.key) if one.version else collection("ConfigMap", one.namespace)
    return parse(client.request("PUT" if one.version else "POST", where, manifest(one)))


def manifest(one: Stored) -> Manifest:
    labels = {MANAGED_BY: "graylane", GROUP: one.group, ROLLOUT: ACTIVE if one.active else ENDED}
    metadata = {"name": one.key.name, "namespace": one.namespace, "labels": labels}
    packed = {"group": base64.b64encode(gzip.compress(one.base, mtime=0)).decode()} if one.base else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, **({"resourceVersion": one.version} if one.version else {})},
        "data": {**one.shown, "state": one.state},
        "binaryData": packed,
    }


def parse(config_map: Manifest) -> Stored:
    """
    Raises:
        ClusterError: somebody has edited it, so that it cannot be read.
    """
    metadata, data = config_map["metadata"], config_map.get("data") or {}
    labels = metadata.get("labels") or {}
    try:
        packed = (config_map.get("binaryData") or {}).get("group", "")
        return Stored(
            namespace=metadata["namespace"],
            name=metadata["name"].partition(".")[2],
            group=labels[GROUP],
            active=labels[ROLLOUT] == ACTIVE,
            state=data["state"],
            shown={name: text for name, text in data.items() if name != "state"},
            base=gzip.decompress(base64.b64decode(packed)) if packed else b"",
            version=metadata.get("resourceVersion", ""),
            created=metadata.get("creationTimestamp", ""),
        )
    except (KeyError, ValueError, TypeError, OSError, EOFError) as error:
        where = f"ConfigMap {metadata['namespace']}/{metadata['name']}"
        raise ClusterError(f"{where} is no rollout of graylane ({type(error).__name__}: {error})") from None
