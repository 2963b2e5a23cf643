"""A revision: the record of one apply, stored as a ConfigMap `graylane-GROUP-rN`. No I/O here.

Large parts (the spec, the inventory, what changed) are gzip'ed JSON in `binaryData`; `data` is readable:
`hash` (SHA-256 of the spec's JSON), `who` (the API server's name for the user), `host` (user@machine), `process`,
`started`, `ended` (RFC 3339, UTC), `action`, `outcome`, `message`, `version` (graylane's).
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.errors import ClusterError, Location
from meshconfig.render import GROUP, MANAGED_BY
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import validate

REVISION = "graylane.dev/revision"
KEEP = 10
LARGEST = 900_000  # bytes; a ConfigMap takes 1 MiB
LONGEST_MESSAGE = 10_000
DELETE = "delete"


class RevisionStatus(StrEnum):
    """The result of an apply. INTERRUPTED is never stored: it is RUNNING without a holder of the Lease."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TooLargeError(ClusterError):
    """A group is too large for one ConfigMap."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One apply, rollback or delete of a group.

    `inventory` lists the resources that the group may own after it. `changed` lists the planned changes, each as
    `created|changed|deleted KIND namespace/name`. `document` is the spec as JSON. `ended` is None while it runs.
    """

    namespace: str
    group: str
    number: int
    document: bytes = field(repr=False)
    hash: str
    inventory: frozenset[Key]
    changed: tuple[str, ...]
    who: str
    host: str
    process: str
    started: datetime
    ended: datetime | None
    action: str
    outcome: RevisionStatus
    message: str
    version: str

    @property
    def spec(self) -> LaneGroup:
        """The spec of this revision.

        Raises:
            InputError: this version of graylane does not accept the spec any more.
        """
        where = Location(f"revision {self.number} of {self.namespace}/{self.group}")
        return validate(LaneGroup, json.loads(self.document), lambda path: where)

    @property
    def gone(self) -> bool:
        """Whether this revision deleted the group."""
        return self.action == DELETE

    @property
    def key(self) -> Key:
        return Key("ConfigMap", self.namespace, f"graylane-{self.group}-r{self.number}")

    def seen(self, holder: str) -> RevisionStatus:
        """The outcome, given the current holder of the group's Lease; `holder` is empty if nobody holds it."""
        alive = self.process and holder.startswith(f"{self.process}/")
        return RevisionStatus.INTERRUPTED if self.outcome is RevisionStatus.RUNNING and not alive else self.outcome


def document(spec: LaneGroup) -> bytes:
    """A spec as JSON. The same spec always gives the same bytes."""
    value = spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def manifest(one: Revision) -> Manifest:
    """The ConfigMap of a revision.

    Raises:
        TooLargeError: the revision does not fit into one ConfigMap.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": one.key.name,
            "namespace": one.namespace,
            "labels": {MANAGED_BY: "graylane", GROUP: one.group, REVISION: str(one.number)},
        },
        "data": {
            "hash": one.hash,
            "who": one.who,
            "host": one.host,
            "process": one.process,
            "started": text(one.started),
            "ended": text(one.ended),
            "action": one.action,
            "outcome": one.outcome.value,
            "message": one.message[:LONGEST_MESSAGE],
            "version": one.version,
        },
        "binaryData": _binary(one),
    }


def _binary(one: Revision) -> dict[str, str]:
    parts = {
        "spec": one.document,
        "inventory": json.dumps(sorted(one.inventory)).encode(),
        "changed": json.dumps(one.changed).encode(),
    }
    packed = {name: gzip.compress(part, mtime=0) for name, part in parts.items()}
    if (size := sum(map(len, packed.values()))) > LARGEST:
        raise TooLargeError(
            f"group {one.namespace}/{one.group} is too large for its history: {size // 1000} kB compressed, and a "
            f"ConfigMap takes {LARGEST // 1000} kB; nothing was changed; split it into several groups"
        )
    return {name: base64.b64encode(part).decode() for name, part in packed.items()}


def parse(config_map: Manifest) -> Revision:
    """Read a revision from its ConfigMap.

    Raises:
        ClusterError: the ConfigMap was edited and cannot be read.
    """
    metadata = config_map["metadata"]
    data, labels = config_map.get("data") or {}, metadata["labels"]
    try:
        return Revision(
            namespace=metadata["namespace"],
            group=labels[GROUP],
            number=int(labels[REVISION]),
            document=_unpacked(config_map, "spec"),
            hash=data["hash"],
            inventory=frozenset(Key(*one) for one in json.loads(_unpacked(config_map, "inventory"))),
            changed=tuple(json.loads(_unpacked(config_map, "changed"))),
            started=datetime.fromisoformat(data["started"]),
            ended=datetime.fromisoformat(data["ended"]) if data["ended"] else None,
            outcome=RevisionStatus(data["outcome"]),
            **{name: data[name] for name in ("who", "host", "process", "action", "message", "version")},
        )
    except (KeyError, ValueError, TypeError, OSError, EOFError) as error:
        where = f"ConfigMap {metadata['namespace']}/{metadata['name']}"
        raise ClusterError(
            f"{where} is no revision of graylane ({type(error).__name__}: {error}); delete it to go on without it"
        ) from None


def _unpacked(config_map: Manifest, name: str) -> bytes:
    return gzip.decompress(base64.b64decode(config_map["binaryData"][name]))


def text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def last_succeeded(past: Sequence[Revision]) -> Revision | None:
    """The newest revision that succeeded. `past` is ordered oldest first, here and below."""
    return next((one for one in reversed(past) if one.outcome is RevisionStatus.SUCCEEDED), None)


def before_last(past: Sequence[Revision]) -> Revision | None:
    """The target of a rollback: the newest success with a spec other than the last applied; never a deletion."""
    last = past[-1] if past else None
    for one in reversed(past):
        if one.outcome is RevisionStatus.SUCCEEDED and not one.gone and last and (last.gone or one.hash != last.hash):
            return one
    return None


def inventory(past: Sequence[Revision]) -> frozenset[Key]:
    """The resources that the group may own: those of the last success, and of all attempts since."""
    found: set[Key] = set()
    for one in reversed(past):
        found |= one.inventory
        if one.outcome is RevisionStatus.SUCCEEDED:
            break
    return frozenset(found)


def surplus(past: Sequence[Revision], keep: int) -> list[Revision]:
    """The revisions to delete so that `keep` are left: the oldest ones, but never the last success."""
    safe = last_succeeded(past)
    return [one for one in past[: max(0, len(past) - keep)] if one is not safe]


def as_json(one: Revision, holder: str) -> Mapping[str, Any]:
    """A revision as `history --output json` and `status --output json` print it."""
    return {
        "revision": one.number,
        "action": one.action,
        "outcome": one.seen(holder).value,
        "started": text(one.started),
        "ended": text(one.ended) or None,
        "who": one.who,
        "host": one.host,
        "message": one.message,
        "hash": one.hash,
        "changed": list(one.changed),
        "version": one.version,
    }


def left(keys: Iterable[Key], changed: Iterable[str]) -> frozenset[Key]:
    """The resources of an inventory that are left after all deletions in `changed`."""
    done = frozenset(changed)
    return frozenset(key for key in keys if f"deleted {key}" not in done)
