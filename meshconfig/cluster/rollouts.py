"""Stores rollouts in the cluster: one ConfigMap each, written by compare-and-swap. `rollout/` interprets them."""

import base64
import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.paths import collection, path
from meshconfig.errors import ClusterError
from meshconfig.render import GROUP, MANAGED_BY

ROLLOUT = "graylane.dev/rollout"  # label: its standing


class Standing(StrEnum):
    """What a stored rollout still needs: a runner, a notification of its end, or nothing."""

    ACTIVE = "active"
    TELLING = "telling"
    ENDED = "ended"


UNFINISHED = (Standing.ACTIVE, Standing.TELLING)


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored rollout.

    Parameters:
        state: the state as JSON. `shown` repeats parts of it in readable form (`phase: Paused`).
        base: the group's spec from before the rollout, as JSON; empty until a runner has begun the rollout.
        version: the resourceVersion that was read; empty for a new rollout.
    """

    namespace: str
    name: str
    group: str
    standing: Standing
    state: str
    shown: Mapping[str, str] = field(default_factory=dict)
    base: bytes = field(default=b"", repr=False)
    version: str = ""

    @property
    def key(self) -> Key:
        return key(self.namespace, self.name)


def key(namespace: str, name: str) -> Key:
    """The key of a rollout's ConfigMap. Its name has a dot, as no group's has, so it is no revision's."""
    return Key("ConfigMap", namespace, f"graylane-rollout.{name}")


def read(client: Client, namespace: str, name: str) -> Stored | None:
    """Read one rollout; None if there is none. Makes one API call."""
    found = client.get(path(key(namespace, name)))
    return parse(found) if found else None


def stored(
    client: Client,
    namespace: str,
    *,
    group: str = "",
    standing: Iterable[Standing] = Standing,
    wrong: Callable[[ClusterError], None] | None = None,
) -> list[Stored]:
    """All rollouts of a namespace, or of one group. Makes one API call.

    Parameters:
        wrong: called with the error of each rollout that cannot be read; without it the error is raised.
    """
    selector = f"{MANAGED_BY}=graylane,{ROLLOUT} in ({','.join(standing)})" + (f",{GROUP}={group}" if group else "")
    found = []
    for one in client.list_resources("ConfigMap", namespace, selector):
        try:
            found.append(parse(one))
        except ClusterError as error:
            if wrong is None:
                raise
            wrong(error)
    return found


def write(client: Client, one: Stored) -> Stored:
    """Create a rollout, or replace the version that was read.

    Raises:
        Conflict: another process wrote or created it in the meantime.
    """
    where = path(one.key) if one.version else collection("ConfigMap", one.namespace)
    return parse(client.request("PUT" if one.version else "POST", where, manifest(one)))


def manifest(one: Stored) -> Manifest:
    labels = {MANAGED_BY: "graylane", GROUP: one.group, ROLLOUT: one.standing.value}
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
    """Read a rollout from its ConfigMap.

    Raises:
        ClusterError: the ConfigMap was edited and cannot be read.
    """
    metadata, data = config_map["metadata"], config_map.get("data") or {}
    labels = metadata.get("labels") or {}
    try:
        packed = (config_map.get("binaryData") or {}).get("group", "")
        return Stored(
            namespace=metadata["namespace"],
            name=metadata["name"].partition(".")[2],
            group=labels[GROUP],
            standing=Standing(labels[ROLLOUT]),
            state=data["state"],
            shown={name: text for name, text in data.items() if name != "state"},
            base=gzip.decompress(base64.b64decode(packed)) if packed else b"",
            version=metadata.get("resourceVersion", ""),
        )
    except (KeyError, ValueError, TypeError, OSError, EOFError) as error:
        where = f"ConfigMap {metadata['namespace']}/{metadata['name']}"
        raise ClusterError(f"{where} is no rollout of graylane ({type(error).__name__}: {error})") from None
