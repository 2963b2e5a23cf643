"""Stores rollouts in the cluster: one ConfigMap each, written by compare-and-swap. `rollout/` interprets them.

Whoever may write ConfigMaps in a namespace may write a rollout. So it counts only for the name, the group and the
namespace of its ConfigMap, and whatever is wrong in it is an `UnreadableError`.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from meshconfig.bounded import Highest, decode, unpack
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, UnreadableError
from meshconfig.cluster.paths import collection, path
from meshconfig.render import GROUP, MANAGED_BY

ROLLOUT = "graylane.dev/rollout"  # label: its standing
PREFIX = "graylane-rollout."
PAGE = 12  # ConfigMaps in one answer; each has up to a megabyte
LARGEST = 1_040_000  # bytes of all values of a rollout; a ConfigMap takes 1 MiB

T = TypeVar("T")
C = TypeVar("C")


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
        packed: `base`, packed by gzip as it is stored.
        version: the resourceVersion that was read; empty for a new rollout.
    """

    namespace: str
    name: str
    group: str
    standing: Standing
    state: str
    shown: Mapping[str, str] = field(default_factory=dict)
    packed: bytes = field(default=b"", repr=False)
    version: str = ""

    @property
    def base(self) -> bytes:
        """The group's spec from before the rollout, as JSON; empty until a runner has begun the rollout."""
        return unpack(self.packed) if self.packed else b""

    @property
    def key(self) -> Key:
        return key(self.namespace, self.name)


def key(namespace: str, name: str) -> Key:
    """The key of a rollout's ConfigMap. Its name has a dot, as no group's has, so it is no revision's."""
    return Key("ConfigMap", namespace, PREFIX + name)


def read(client: Client, namespace: str, name: str) -> Stored | None:
    """Read one rollout; None if there is none. Makes one API call."""
    found = client.get(path(key(namespace, name)))
    with client.reading.of():
        return parse(found) if found else None


def each(
    client: Client,
    namespace: str,
    take: Callable[[Stored], T],
    *,
    group: str = "",
    standing: Iterable[Standing] = Standing,
    memo: dict[tuple[str, str], T | UnreadableError] | None = None,
) -> list[T | UnreadableError]:
    """What `take` gives of each rollout of a namespace, or of one group. Makes one API call for a dozen rollouts.

    A rollout fills up to a megabyte, and somebody may have stored any number of them. So they are read in pages, and
    what `take` does not keep is not kept.

    Parameters:
        take: may raise UnreadableError, too.
        memo: what the last call gave, by name and resourceVersion: what was not written since is not parsed again.

    Returns:
        In place of a rollout that cannot be read: its error.
    """
    known = memo or {}
    now: dict[tuple[str, str], T | UnreadableError] = {}

    def add(found: list[T | UnreadableError], config_map: Manifest) -> None:
        metadata = config_map["metadata"]
        version = metadata["name"], metadata.get("resourceVersion", "")
        now[version] = known[version] if version in known else _taken(config_map, take)
        found.append(now[version])

    # A memo is that of a runner's look at all rollouts, for which no worker's list is waited for.
    found = _read(client, namespace, list[T | UnreadableError], add, group, standing, first=memo is not None)
    if memo is not None:
        memo.clear()
        memo.update(now)
    return found


@dataclass
class Found(Generic[T]):
    """The rollouts of the highest ranks that fit into the memory for them, and what cannot be read."""

    kept: Highest[T] = field(default_factory=Highest)
    unreadable: list[UnreadableError] = field(default_factory=list)


def highest(
    client: Client,
    namespace: str,
    take: Callable[[Stored], tuple[Any, int, T]],
    *,
    group: str = "",
    standing: Iterable[Standing] = Standing,
) -> Found[T]:
    """As `each`, where `take` keeps much: it gives a rank and a number of bytes as well, as for `Highest.add`."""

    def add(found: Found[T], config_map: Manifest) -> None:
        one = _taken(config_map, take)
        if isinstance(one, UnreadableError):
            found.unreadable.append(one)
        else:
            found.kept.add(*one)

    return _read(client, namespace, Found[T], add, group, standing)


def _taken(config_map: Manifest, take: Callable[[Stored], T]) -> T | UnreadableError:
    try:
        return take(parse(config_map))
    except UnreadableError as error:
        return error.alone()


def _read(
    client: Client,
    namespace: str,
    new: Callable[[], C],
    add: Callable[[C, Manifest], object],
    group: str,
    standing: Iterable[Standing],
    *,
    first: bool = False,
) -> C:
    selector = f"{MANAGED_BY}=graylane,{ROLLOUT} in ({','.join(standing)})" + (f",{GROUP}={group}" if group else "")
    with client.lists.of(group, first=first):
        return client.read_into(new, add, "ConfigMap", namespace, selector, page=PAGE, stored=True)


def write(client: Client, one: Stored) -> Stored:
    """Create a rollout, or replace the version that was read.

    Raises:
        Conflict: another process wrote or created it in the meantime.
    """
    where = path(one.key) if one.version else collection("ConfigMap", one.namespace)
    answer = client.request("PUT" if one.version else "POST", where, manifest(one))
    with client.reading.of():
        return parse(answer)


def manifest(one: Stored) -> Manifest:
    labels = {MANAGED_BY: "graylane", GROUP: one.group, ROLLOUT: one.standing.value}
    metadata = {"name": one.key.name, "namespace": one.namespace, "labels": labels}
    packed = {"group": base64.b64encode(one.packed).decode()} if one.packed else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, **({"resourceVersion": one.version} if one.version else {})},
        "data": {**one.shown, "state": one.state},
        "binaryData": packed,
    }


def size(one: Stored) -> int:
    """The bytes that count against the limit of a ConfigMap: those of all values, binary ones as they are packed."""
    return len(one.state.encode()) + sum(len(text.encode()) for text in one.shown.values()) + len(one.packed)


def parse(config_map: Manifest) -> Stored:
    """Read a rollout from its ConfigMap.

    Raises:
        UnreadableError: it is damaged, too large, or another rollout's or group's than its ConfigMap's.
    """
    try:
        return _parsed(config_map)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError.of(config_map, "rollout", error) from None


def _parsed(config_map: Manifest) -> Stored:
    metadata, data = config_map["metadata"], config_map.get("data") or {}
    labels = metadata.get("labels") or {}
    if not metadata["name"].startswith(PREFIX):
        raise ValueError(f"its name does not begin with {PREFIX}")
    text = (config_map.get("binaryData") or {}).get("group", "")
    packed = base64.b64decode(text)
    if text:
        unpack(packed)  # `base` is read only where there is any
    one = Stored(
        namespace=metadata["namespace"],
        name=metadata["name"].removeprefix(PREFIX),
        group=labels[GROUP],
        standing=Standing(labels[ROLLOUT]),
        state=data["state"],
        shown={name: text for name, text in data.items() if name != "state"},
        packed=packed,
        version=metadata.get("resourceVersion", ""),
    )
    _check_owner(one)
    return one


def _check_owner(one: Stored) -> None:
    """Is what is stored that of this rollout, group and namespace?

    Raises:
        ValueError: it is not.
    """
    try:
        rollout = decode(one.state.encode())["rollout"]
        about = rollout["metadata"]
        named = about.get("namespace", "default"), about["name"], rollout["spec"]["group"]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"stored state of a rollout: {type(error).__name__}: {error}") from None
    if named != (one.namespace, one.name, one.group):
        raise ValueError(f"its state is that of rollout {named[1]} of group {named[0]}/{named[2]}")
    if base := one.base:
        about = decode(base)["metadata"]
        owner = about.get("namespace", "default"), about["name"]
        if owner != (one.namespace, one.group):
            raise ValueError(f"its group is {'/'.join(map(str, owner))}")
