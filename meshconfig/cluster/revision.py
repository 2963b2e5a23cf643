"""A revision: the record of one apply, stored as a ConfigMap `graylane-GROUP-rN`. No I/O here.

Whoever may write ConfigMaps in a namespace may write a revision. So it counts only for the group and the namespace of
its ConfigMap, and whatever is wrong in it is an `UnreadableError`.

Large parts (the spec, the inventory, what changed) are gzip'ed JSON in `binaryData`; `data` is readable:
`hash` (SHA-256 of the spec's content), `who` (the API server's name for the user), `host` (user@machine), `process`,
`started`, `ended` (RFC 3339, UTC), `action`, `outcome`, `message`, `version` (graylane's).
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple, Self, get_args

from meshconfig.backend.kinds import ADOPTABLE, ISTIO
from meshconfig.backend.manifest import IstioApi
from meshconfig.bounded import clip, decode, pack, unpack
from meshconfig.cluster.objects import Key, Manifest, UnreadableError, key
from meshconfig.errors import ClusterError, Location
from meshconfig.render import GROUP, MANAGED_BY
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import validate

REVISION = "graylane.dev/revision"
KEEP = 10
LARGEST = 900_000  # bytes of the packed parts; a ConfigMap takes 1 MiB
ROOM = 100_000  # bytes more for a rollback, a deletion or a rollout's way back, of a group that was just small enough
READ = LARGEST + ROOM  # bytes of the packed parts that are read: no more was ever written
MOST = 40_000  # resources of a group, and changes: in memory, each takes a hundred times the bytes that it has packed
LONGEST_MESSAGE = 10_000  # bytes
LONGEST_NAME = 1_000  # bytes of who, host, process and action
DELETE = "delete"
MOVE = "move to "  # and the backend
VERIFIED = "barriers verified"
RESTORE = "rollback to 0"  # gives back what `apply --adopt` took over
_NOT_HELD_UP = (DELETE, "rollback ", "rollout ")  # how an action begins that frees a group, or ends what has begun
# What `apply --adopt` takes over, by kind: the versions in which an API server answers.
_ADOPTED = {
    kind.name: tuple(f"{ISTIO}/{version}" for version in get_args(IstioApi)) if kind.api == ISTIO else (kind.api,)
    for kind in ADOPTABLE
}
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_IS_NAMESPACE = re.compile(_LABEL)
_IS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile("[1-9][0-9]{0,8}")
LAST = 10**9 - 1  # the highest number
DRIFT = "correct"  # the one default that the API server fills into a LaneGroup


class RevisionStatus(StrEnum):
    """The result of an apply. INTERRUPTED is never stored: it is RUNNING without a holder of the Lease."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Parts(NamedTuple):
    """The large parts of a revision, as it is stored: each as JSON, packed by gzip.

    They stay packed in memory. Ten revisions that somebody filled to every limit would take hundreds of megabytes.
    """

    spec: bytes
    inventory: bytes
    changed: bytes
    adopted: bytes = b""  # empty where nothing was adopted

    @classmethod
    def of(
        cls,
        document: bytes,
        inventory: Iterable[Key] = (),
        changed: Iterable[str] = (),
        adopted: Sequence[Manifest] = (),
    ) -> Self:
        """Packs the spec as JSON, the resources that the group may own, the planned changes, and adopted resources."""
        listed = json.dumps(sorted(inventory)).encode(), json.dumps(list(changed)).encode()
        taken = pack(json.dumps(adopted).encode()) if adopted else b""
        return cls(pack(document), pack(listed[0]), pack(listed[1]), taken)

    @property
    def size(self) -> int:
        return sum(map(len, self))


@dataclass(frozen=True, slots=True)
class PackedKeys:
    """Resources as a revision stores them, in a hundredth of the memory: a set of thousands is kept for minutes."""

    _packed: bytes = b""

    @classmethod
    def of(cls, keys: Iterable[Key]) -> Self:
        return cls(pack(json.dumps(sorted(keys)).encode()))

    def unpacked(self) -> frozenset[Key]:
        return frozenset(map(_key, json.loads(gzip.decompress(self._packed)))) if self._packed else frozenset()


class TooLargeError(ClusterError):
    """A group is too large for one ConfigMap."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One apply, rollback or delete of a group.

    `ended` is None while it runs. What `parts` hold is unpacked each time that it is asked for.
    """

    namespace: str
    group: str
    number: int
    parts: Parts = field(repr=False)
    hash: str
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
    def document(self) -> bytes:
        """The spec as JSON."""
        return unpack(self.parts.spec)

    @property
    def inventory(self) -> frozenset[Key]:
        """The resources that the group may own after it."""
        return frozenset(map(_key, _listed("inventory", self.parts.inventory)))

    @property
    def changed(self) -> tuple[str, ...]:
        """The planned changes, each as `created|changed|deleted KIND namespace/name`."""
        return tuple(map(_text, _listed("changed", self.parts.changed)))

    @property
    def adopted(self) -> tuple[Manifest, ...]:
        """The resources of others that the group has taken over, as they were before."""
        return tuple(map(_original, _listed("adopted", self.parts.adopted))) if self.parts.adopted else ()

    @property
    def spec(self) -> LaneGroup:
        """The spec of this revision.

        Raises:
            InputError: this version of graylane does not accept the spec any more.
        """
        where = Location(f"revision {self.number} of {self.namespace}/{self.group}")
        return validate(LaneGroup, json.loads(self.document), lambda path: where)

    def bare(self, *, adopted: bool) -> "Revision":
        """The same revision without its parts, or with what was taken over alone."""
        return replace(self, parts=Parts(b"", b"", b"", self.parts.adopted if adopted else b""))

    @property
    def gone(self) -> bool:
        """Whether this revision deleted the group, or gave its place back to what it had replaced."""
        return self.action in (DELETE, RESTORE)

    @property
    def is_verified(self) -> bool:
        """Whether barriers have seen that every proxy has what this revision wrote."""
        return self.message == VERIFIED

    @property
    def moves(self) -> bool:
        """Whether this revision took the group to the other backend."""
        return self.action.startswith(MOVE)

    @property
    def key(self) -> Key:
        return Key("ConfigMap", self.namespace, _name(self.group, self.number))

    def seen(self, holder: str) -> RevisionStatus:
        """The outcome, given the current holder of the group's Lease; `holder` is empty if nobody holds it."""
        alive = self.process and holder.startswith(f"{self.process}/")
        return RevisionStatus.INTERRUPTED if self.outcome is RevisionStatus.RUNNING and not alive else self.outcome


def _name(group: str, number: int) -> str:
    return f"graylane-{group}-r{number}"


def number_in(name: str, group: str) -> int:
    """The number of a revision by the name of its ConfigMap; 0 for another name."""
    found = name.removeprefix(_name(group, 0)[:-1])
    return int(found) if name.startswith(_name(group, 0)[:-1]) and _NUMBER.fullmatch(found) else 0


def document(spec: LaneGroup) -> bytes:
    """A spec as JSON. The same spec always gives the same bytes."""
    value = spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def digest(document: bytes) -> str:
    """The SHA-256 of a spec's content. The version of its API, the order of its keys and what an API server fills in
    do not count: a spec is the same in a file, in the cluster's LaneGroup and in a revision of any graylane.

    Parameters:
        document: a spec as JSON.
    """
    value = json.loads(document)
    content = {"metadata": {"namespace": "default", **value["metadata"]}, "spec": value["spec"]}
    if isinstance(value["spec"], dict) and value["spec"].get("drift") == DRIFT:
        content["spec"] = {name: part for name, part in value["spec"].items() if name != "drift"}
    written = json.dumps(content, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()


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
            **{name: clip(getattr(one, name), LONGEST_NAME) for name in ("who", "host", "process", "action")},
            "started": text(one.started),
            "ended": text(one.ended),
            "outcome": one.outcome.value,
            "message": clip(one.message, LONGEST_MESSAGE),
            "version": one.version,
        },
        "binaryData": _binary(one),
    }


def _binary(one: Revision) -> dict[str, str]:
    """The packed parts. Where the list of changes is too much, it is left out: no group is too large to go back."""
    packed, largest = one.parts, LARGEST + (ROOM if one.action.startswith(_NOT_HELD_UP) else 0)
    changes = _count(packed.changed)
    if packed.size > LARGEST or changes > MOST:
        said = [f"{changes} changes, too many to be listed"]
        packed = packed._replace(changed=pack(json.dumps(said).encode()))
    if packed.size > largest or not _is_readable(packed):
        raise TooLargeError(
            f"group {one.namespace}/{one.group} is too large for its history: {packed.size // 1000} kB compressed, and "
            f"a ConfigMap takes {LARGEST // 1000} kB; nothing was changed; split it into several groups"
        )
    return {name: base64.b64encode(part).decode() for name, part in packed._asdict().items() if part}


def _count(packed: bytes) -> int:
    """The items of a packed list; more than can be read counts too."""
    return len(json.loads(gzip.decompress(packed)))


def _is_readable(parts: Parts) -> bool:
    """Whether what is written can be read again: within the limits of reading."""
    try:
        decode(unpack(parts.spec))
    except ValueError:
        return False
    return _count(parts.inventory) <= MOST


def parse(config_map: Manifest) -> Revision:
    """Read a revision from its ConfigMap.

    Raises:
        UnreadableError: it is damaged, too large, or another group's than its ConfigMap's.
    """
    try:
        return _parsed(config_map)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError.of("ConfigMap", config_map, "revision", error) from None


def _parsed(config_map: Manifest) -> Revision:
    metadata, data = config_map["metadata"], config_map.get("data") or {}
    namespace, group, number = metadata["namespace"], metadata["labels"][GROUP], metadata["labels"][REVISION]
    if not _NUMBER.fullmatch(number) or metadata["name"] != _name(group, int(number)):
        raise ValueError(f"its labels are those of revision {number} of {group}")
    binary = config_map["binaryData"]
    needed = {name: base64.b64decode(binary[name]) for name in ("spec", "inventory", "changed")}
    parts = Parts(**needed, adopted=base64.b64decode(binary.get("adopted", "")))
    if parts.size > READ:  # what is passed on would leave no room for the way back
        raise ValueError(f"it has {parts.size // 1000} kB, more than a revision may have")
    document = unpack(parts.spec)
    about = decode(document)["metadata"]
    owner = about.get("namespace", "default"), about["name"]
    if owner != (namespace, group):
        raise ValueError(f"its spec is that of group {'/'.join(map(str, owner))}")
    started, ended = _time(data["started"]), _time(data["ended"])
    if started is None:
        raise ValueError("it never began")
    one = Revision(
        namespace=namespace,
        group=group,
        number=int(number),
        parts=parts,
        hash=digest(document),
        started=started,
        ended=ended,
        outcome=RevisionStatus(data["outcome"]),
        **{name: _text(data[name]) for name in ("who", "host", "process", "action", "message", "version")},
    )
    for part in ("inventory", "changed", "adopted"):  # whether they can be read; each takes much memory by itself
        getattr(one, part)
    return one


def _listed(name: str, packed: bytes) -> list[Any]:
    found = decode(unpack(packed))
    if not isinstance(found, list):
        raise ValueError(f"its {name} is no list")
    if len(found) > MOST:
        raise ValueError(f"its {name} has more than {MOST} items")
    return found


def _key(value: Any) -> Key:
    kind, namespace, name = value
    return Key(intern(_text(kind)), intern(_text(namespace)), _text(name))


def _original(value: Any) -> Manifest:
    """A resource that was taken over: one of the kinds that a backend writes, so that a revision can bring no other."""
    kind, api, metadata = _text(value["kind"]), _text(value["apiVersion"]), value["metadata"]
    if api not in _ADOPTED.get(kind, ()):
        raise ValueError(f"it lists a {kind} of {api} among what was taken over")
    name, namespace = _text(metadata["name"]), _text(metadata["namespace"])
    if not _IS_NAME.fullmatch(name) or not _IS_NAMESPACE.fullmatch(namespace):
        raise ValueError(f"among what was taken over, {namespace}/{name} is no name of a resource")
    notes = {part: _texts(metadata[part]) for part in ("labels", "annotations") if part in metadata}
    if notes.get("labels", {}).get(MANAGED_BY) == "graylane":
        raise ValueError(f"among what was taken over, {kind} {namespace}/{name} is graylane's own")
    if not isinstance(value["spec"], dict):
        raise TypeError(f"the spec of {kind} {namespace}/{name} is no mapping")
    named = {"name": name, "namespace": namespace, "labels": {}}
    return {"apiVersion": api, "kind": kind, "metadata": {**named, **notes}, "spec": value["spec"]}


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} is no mapping")
    return {name: _text(one) for name, one in value.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def _time(value: str) -> datetime | None:
    if not value:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value!r:.40} has no time zone")
    return moment


def text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def last_succeeded(past: Sequence[Revision]) -> Revision | None:
    """The newest revision that succeeded. `past` is ordered oldest first, here and below."""
    return next((one for one in reversed(past) if one.outcome is RevisionStatus.SUCCEEDED), None)


def last_applied(past: Sequence[Revision]) -> Revision | None:
    """The newest revision that succeeded and is no deletion."""
    return next((one for one in reversed(past) if one.outcome is RevisionStatus.SUCCEEDED and not one.gone), None)


def before_last(past: Sequence[Revision]) -> Revision | None:
    """The target of a rollback: the newest success with a spec other than the last applied; never a deletion."""
    last = past[-1] if past else None
    for one in reversed(past):
        if one.outcome is RevisionStatus.SUCCEEDED and not one.gone and last and (last.gone or one.hash != last.hash):
            return one
    return None


def inventory(past: Sequence[Revision]) -> frozenset[Key]:
    """The resources that the group may own: those of the last success, and of all attempts since.

    A group has no more than a revision can list. Of attempts that list more together, the newest count.
    """
    found: set[Key] = set()
    for one in reversed(past):
        more = one.inventory
        if len(found | more) > MOST:
            break
        found |= more
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
        "adopted": [str(key(each)) for each in one.adopted],
    }


def left(keys: Iterable[Key], changed: Iterable[str]) -> frozenset[Key]:
    """The resources of an inventory that are left after all deletions in `changed`."""
    done = frozenset(changed)
    return frozenset(key for key in keys if f"deleted {key}" not in done)
