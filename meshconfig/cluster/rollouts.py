"""Rollouts as the cluster keeps them: a ConfigMap each, by compare-and-swap. `rollout/` knows what they mean."""

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
    """What is left to do for a rollout: to drive it, to tell people of its end, nothing."""

    ACTIVE = "active"
    TELLING = "telling"
    ENDED = "ended"


UNFINISHED = (Standing.ACTIVE, Standing.TELLING)


@dataclass(frozen=True, slots=True)
class Stored:
    """One rollout.

    Parameters:
        state: as JSON; `shown` is what people see of it beside (`phase: Paused`).
        base: the group's document as it was before, empty until a runner has taken it up.
        version: the resourceVersion that was read, empty where it is new.
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
    """With a dot, which no group's name has: a revision's ConfigMap is never called so."""
    return Key("ConfigMap", namespace, f"graylane-rollout.{name}")


def read(client: Client, namespace: str, name: str) -> Stored | None:
    """One call."""
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
    """All of a namespace, or of one group. One call.

    Parameters:
        wrong: is told of each that cannot be read, instead of the error being raised.
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
    """Create it, or replace the version that was read.

    Raises:
        Conflict: somebody wrote it in between, or made one of this name.
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
            standing=Standing(labels[ROLLOUT]),
            state=data["state"],
            shown={name: text for name, text in data.items() if name != "state"},
            base=gzip.decompress(base64.b64decode(packed)) if packed else b"",
            version=metadata.get("resourceVersion", ""),
        )
    except (KeyError, ValueError, TypeError, OSError, EOFError) as error:
        where = f"ConfigMap {metadata['namespace']}/{metadata['name']}"
        raise ClusterError(f"{where} is no rollout of graylane ({type(error).__name__}: {error})") from None
