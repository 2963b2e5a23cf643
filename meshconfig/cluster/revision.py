"""One apply as it is remembered: a ConfigMap `graylane-GROUP-rN` and what it means. Pure.

Large parts (the spec, the inventory, what changed) are gzip'ed JSON in `binaryData`; `data` is what people may read:
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
    """How an apply ended. INTERRUPTED is never written: it ran, and nobody holds the Lease any more."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TooLargeError(ClusterError):
    """A group is too large for one ConfigMap."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One apply, rollback or delete of a group.

    `inventory` is what the group may own after it; `changed` says what was to change, `created|changed|deleted KIND
    namespace/name` each; `document` is the spec as JSON, `ended` None while it runs.
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
        """The group as it was wanted.

        Raises:
            InputError: this graylane does not take it any more.
        """
        where = Location(f"revision {self.number} of {self.namespace}/{self.group}")
        return validate(LaneGroup, json.loads(self.document), lambda path: where)

    @property
    def gone(self) -> bool:
        """The group was to be deleted."""
        return self.action == DELETE

    @property
    def key(self) -> Key:
        return Key("ConfigMap", self.namespace, f"graylane-{self.group}-r{self.number}")

    def seen(self, holder: str) -> RevisionStatus:
        """The outcome, where `holder` has the group's Lease now; empty for nobody."""
        alive = self.process and holder.startswith(f"{self.process}/")
        return RevisionStatus.INTERRUPTED if self.outcome is RevisionStatus.RUNNING and not alive else self.outcome


def document(spec: LaneGroup) -> bytes:
    """A spec as JSON, as it was written: the same spec gives the same bytes."""
    value = spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def manifest(one: Revision) -> Manifest:
    """The ConfigMap of a revision.

    Raises:
        TooLargeError: it does not fit into one.
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
    """A revision of its ConfigMap.

    Raises:
        ClusterError: somebody has edited it, so that it cannot be read.
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
    """The newest that ended well; `past` is the oldest first, here and below."""
    return next((one for one in reversed(past) if one.outcome is RevisionStatus.SUCCEEDED), None)


def before_last(past: Sequence[Revision]) -> Revision | None:
    """Where a rollback goes: the newest that succeeded and whose spec is not the one last applied; never a deletion."""
    last = past[-1] if past else None
    for one in reversed(past):
        if one.outcome is RevisionStatus.SUCCEEDED and not one.gone and last and (last.gone or one.hash != last.hash):
            return one
    return None


def inventory(past: Sequence[Revision]) -> frozenset[Key]:
    """What the group may own: as of the last that succeeded, and all that was tried since."""
    found: set[Key] = set()
    for one in reversed(past):
        found |= one.inventory
        if one.outcome is RevisionStatus.SUCCEEDED:
            break
    return frozenset(found)


def surplus(past: Sequence[Revision], keep: int) -> list[Revision]:
    """Which may go so that `keep` are left: the oldest, but not the last that succeeded."""
    safe = last_succeeded(past)
    return [one for one in past[: max(0, len(past) - keep)] if one is not safe]


def as_json(one: Revision, holder: str) -> Mapping[str, Any]:
    """The keys that `history --output json` and `status --output json` print of a revision."""
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
    """Of these what is left once all that `changed` says is done."""
    done = frozenset(changed)
    return frozenset(key for key in keys if f"deleted {key}" not in done)
