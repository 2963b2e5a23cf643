"""Rollout objects in the cluster: `spec` is a person's or Git's, and `status` has all that graylane keeps.

Whoever may write a Rollout's status may write any state into it. So a state counts only for the name, the group and
the namespace of its object, and whatever is wrong in it is an `UnreadableError`. `rollout/` interprets it.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from meshconfig.backend.kinds import GRAYLANE
from meshconfig.bounded import Highest, decode, unpack
from meshconfig.cluster import custom
from meshconfig.cluster.client import Client
from meshconfig.cluster.custom import CONTROLLER, CustomObject
from meshconfig.cluster.objects import Key, Manifest, UnreadableError
from meshconfig.cluster.paths import path

KIND = "Rollout"
FINALIZER = f"{GRAYLANE}/rollout"  # held from when a rollout is taken up until it has ended
# annotation: of a rollout that `rollout migrate` writes; its state follows, so that nobody begins it anew
MIGRATED = f"{GRAYLANE}/migrated-from"
PAGE = 12  # objects in one answer; each has up to a megabyte
LARGEST = 1_040_000  # bytes of a status; etcd takes 1.5 MiB for an object, and the spec is beside it
ENDED = ("Succeeded", "Aborted", "RolledBack")  # phases

T = TypeVar("T")
C = TypeVar("C")


class RolloutObject(CustomObject):
    """A Rollout object as it was read. `parse` has looked at what is in its status."""

    __slots__ = ()

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def state(self) -> str:
        """The state as JSON; empty until a controller or `graylane rollout start` has written one."""
        return str(self.status.get("state") or "")

    @property
    def packed(self) -> bytes:
        """`base`, packed by gzip as it is stored."""
        return base64.b64decode(self.status.get("base") or "")

    @property
    def base(self) -> bytes:
        """The group's spec from before the rollout, as JSON; empty until a controller has begun the rollout."""
        return unpack(self.packed) if self.status.get("base") else b""

    @property
    def manager(self) -> str:
        """Who wrote the spec last: the field manager, such as `kustomize-controller`; `kubectl` where none is known."""
        return self.writer or "kubectl"

    @property
    def size(self) -> int:
        """The bytes of its status that others may have written."""
        return len(self.state.encode()) + len(self.status.get("base") or "")


def key(namespace: str, name: str) -> Key:
    return Key(KIND, namespace, name)


def read(client: Client, namespace: str, name: str) -> RolloutObject | None:
    """Reads one rollout; None if there is none. One call.

    Raises:
        UnreadableError: what is in its status is damaged, or another rollout's.
    """
    found = bare(client, namespace, name)
    with client.reading.of():
        return parse(found.manifest) if found else None


def bare(client: Client, namespace: str, name: str) -> RolloutObject | None:
    """One rollout whose status nobody has looked at; None if there is none. One call."""
    found = client.get(path(key(namespace, name)))
    return RolloutObject({"kind": KIND, **found}) if found else None


def each(
    client: Client,
    namespace: str,
    take: Callable[[RolloutObject], T],
    *,
    group: str = "",
    active: bool = False,
) -> list[T | UnreadableError]:
    """What `take` gives of each rollout of a namespace, or of one group. One call for a dozen rollouts.

    A rollout fills up to a megabyte, and somebody may have stored any number of them. So they are read in pages, and
    what `take` does not keep is not kept.

    Parameters:
        take: may raise UnreadableError, too.
        active: leave out those that have ended.

    Returns:
        In place of a rollout that cannot be read: its error.
    """

    def add(found: list[T | UnreadableError], manifest: Manifest) -> None:
        if _asked(manifest, group, active):
            found.append(_taken(manifest, take))

    return _read(client, namespace, list[T | UnreadableError], add, group)


@dataclass
class Found(Generic[T]):
    """The rollouts of the highest ranks that fit into the memory for them, and what cannot be read."""

    kept: Highest[T] = field(default_factory=Highest)
    unreadable: list[UnreadableError] = field(default_factory=list)


def highest(
    client: Client,
    namespace: str,
    take: Callable[[RolloutObject], tuple[Any, int, T] | None],
    *,
    group: str = "",
    active: bool = False,
) -> Found[T]:
    """As `each`, where `take` keeps much: it gives a rank and a number of bytes as well, as for `Highest.add`, or None
    for what does not count."""

    def add(found: Found[T], manifest: Manifest) -> None:
        if not _asked(manifest, group, active):
            return
        one = _taken(manifest, take)
        if isinstance(one, UnreadableError):
            found.unreadable.append(one)
        elif one is not None:
            found.kept.add(*one)

    return _read(client, namespace, Found[T], add, group)


def _asked(manifest: Manifest, group: str, active: bool) -> bool:
    """By what can be seen at a glance: the phase of a status repeats its state's."""
    spec, status = manifest.get("spec"), manifest.get("status")
    if active and isinstance(status, dict) and status.get("phase") in ENDED:
        return False
    # The spec of an active one may have been changed to another group's.
    parts = [one for one in (status, spec) if isinstance(one, dict)]
    return not group or next((one["group"] for one in parts if one.get("group")), "") == group


def _taken(manifest: Manifest, take: Callable[[RolloutObject], T]) -> T | UnreadableError:
    try:
        return take(parse(manifest))
    except UnreadableError as error:
        return error.alone()


def _read(client: Client, namespace: str, new: Callable[[], C], add: Callable[[C, Manifest], object], group: str) -> C:
    with client.lists.of(group):
        return client.read_into(new, add, KIND, namespace, page=PAGE, stored=True)


def write(client: Client, one: RolloutObject, status: Mapping[str, Any]) -> RolloutObject:
    """Replaces the status of the version that was read.

    Raises:
        Conflict: another process wrote the object in the meantime.
        ApiError: 404 where the object is gone.
    """
    body = {**one.manifest, "apiVersion": f"{GRAYLANE}/v1", "status": status}
    answer = client.request("PUT", f"{path(one.key)}/status", body, query={"fieldManager": CONTROLLER})
    with client.reading.of():
        return parse(one.answered(answer).manifest)


def apply(client: Client, document: Manifest) -> RolloutObject:
    """Server-side apply of a rollout's spec as the field manager `graylane`.

    Raises:
        Conflict: other managers own fields; `causes` names each field and its manager.
        ApiError: the API server refuses the spec; 404 where the cluster does not have the kind.
        UnreadableError: what is in its status cannot be read.
    """
    answer = custom.apply(client, document)
    with client.reading.of():
        return parse(answer)


def manifest(
    namespace: str, name: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None
) -> Manifest:
    """What to apply."""
    more = {"annotations": dict(annotations)} if annotations else {}
    metadata = {"name": name, "namespace": namespace, **more}
    return {"apiVersion": f"{GRAYLANE}/v1", "kind": KIND, "metadata": metadata, "spec": dict(spec)}


def parse(manifest: Manifest) -> RolloutObject:
    """A Rollout object whose status, if it has one, is its own.

    Raises:
        UnreadableError: the status is damaged, too large, or another rollout's or group's than its object's.
    """
    one = RolloutObject(manifest)
    try:
        if one.status.get("state") or one.status.get("base"):
            _check_owner(one)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError.of("Rollout", manifest, "rollout", error) from None
    return one


def _check_owner(one: RolloutObject) -> None:
    """Is what is stored that of this rollout, group and namespace?

    Raises:
        ValueError: it is not.
    """
    for name in ("state", "base"):
        if not isinstance(one.status.get(name, ""), str):
            raise ValueError(f"its {name} is no text")
    group, ran = check_state(one.state, one.namespace, one.name)
    named = one.manifest["spec"]["group"]
    if named != group and ran >= one.generation:  # else the spec was changed since
        raise ValueError(f"its state is that of a rollout of group {one.namespace}/{group}")
    if base := one.base:
        check_base(base, one.namespace, group)


def check_state(state: str, namespace: str, name: str) -> tuple[str, int]:
    """
    Returns:
        The group of a state, and the generation of the spec that it runs.

    Raises:
        ValueError: it is none, or another rollout's.
    """
    try:
        value = decode(state.encode())
        rollout, ran = value["rollout"], value.get("spec_generation", 0)
        about = rollout["metadata"]
        named, group = (about.get("namespace", "default"), about["name"]), rollout["spec"]["group"]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"stored state of a rollout: {type(error).__name__}: {error}") from None
    if named != (namespace, name) or not isinstance(group, str):
        raise ValueError(f"its state is that of rollout {named[0]}/{named[1]} of group {group}")
    if not isinstance(ran, int):
        raise ValueError("stored state of a rollout: spec_generation is no number")
    return group, ran


def check_base(base: bytes, namespace: str, group: str) -> None:
    """
    Raises:
        ValueError: the group that a rollout began from is another one.
    """
    about = decode(base)["metadata"]
    owner = about.get("namespace", "default"), about["name"]
    if owner != (namespace, group):
        raise ValueError(f"its group is {'/'.join(map(str, owner))}")
