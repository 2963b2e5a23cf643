"""Field ownership: reads `metadata.managedFields`, and extracts the fields of a resource that graylane manages.

Source: Kubernetes, server-side apply, "Field management" (FieldsV1: `f:NAME` a field, `k:{…}` and `v:…` list items).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.objects import CONTENT, MANAGER, Manifest
from meshconfig.render import GROUP, MANAGED_BY


@dataclass(frozen=True, slots=True)
class OtherManager:
    """Another field manager of a resource's content: its name, last write (RFC 3339) and fields (`.spec.exportTo`)."""

    manager: str
    time: str
    fields: tuple[str, ...]


def other_managers(live: Manifest) -> list[OtherManager]:
    """The managers other than graylane that own fields of the content, the latest first."""
    found = [
        OtherManager(entry.get("manager", "?"), entry.get("time", ""), tuple(_leaves(fields, f".{name}")))
        for entry in _entries(live)
        for name in CONTENT
        if entry.get("manager") != MANAGER and (fields := (entry.get("fieldsV1") or {}).get(f"f:{name}")) is not None
    ]
    return sorted(found, key=lambda one: one.time, reverse=True)


def applied_before(live: Manifest) -> bool:
    """Whether graylane has applied this resource, so that its fields were graylane's once."""
    return any(one.get("manager") == MANAGER and one.get("operation") == "Apply" for one in _entries(live))


def managed_part(live: Manifest, wanted: Manifest | None) -> Manifest:
    """The fields of a live resource that a server-side apply of `wanted` would set or remove.

    These are the fields in `wanted` and the fields that graylane owns. Fields that other managers or the server added
    are left out. A list is taken as a whole, because the lists of Istio's resources and of autoscalers are atomic.

    Parameters:
        wanted: the resource to be applied; None if it is to be deleted.
    """
    owned: dict[str, Any] = {}
    for entry in _entries(live):
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            owned = entry.get("fieldsV1") or {}
    wanted = wanted or {}
    labels = {**owned.get("f:metadata", {}).get("f:labels", {}), f"f:{MANAGED_BY}": {}, f"f:{GROUP}": {}}
    metadata, theirs = live["metadata"], wanted.get("metadata", {})
    notes = _part(
        metadata.get("annotations") or {},
        theirs.get("annotations") or {},
        owned.get("f:metadata", {}).get("f:annotations") or None,
    )
    content = [name for name in CONTENT if name in live or name in wanted] or ["spec"]
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": _part(metadata.get("labels") or {}, theirs.get("labels") or {}, labels),
            **({"annotations": notes} if notes else {}),
        },
        **{name: _content(name, live, wanted, owned) for name in content},
    }


def _content(name: str, live: Manifest, wanted: Manifest, owned: Mapping[str, Any]) -> Any:
    found = live.get(name, {})
    # graylane owns nothing of a resource that it never applied. Taking it over replaces all of it, so all counts.
    return _part(found, wanted.get(name, {}), owned[f"f:{name}"]) if f"f:{name}" in owned else found


def _part(live: Any, wanted: Any, owned: Mapping[str, Any] | None) -> Any:
    """`owned` is the FieldsV1 of this value: None if graylane owns none of it, {} if it owns the value as a whole."""
    if not isinstance(live, dict) or owned == {}:
        return live
    wanted = wanted if isinstance(wanted, dict) else {}
    owned = owned or {}
    return {
        name: _part(value, wanted.get(name), owned.get(f"f:{name}"))
        for name, value in live.items()
        if name in wanted or f"f:{name}" in owned
    }


def _entries(live: Manifest) -> Iterator[Mapping[str, Any]]:
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("subresource", "") == "":
            yield entry


def _leaves(fields: Mapping[str, Any], path: str) -> Iterator[str]:
    below = {name: part for name, part in fields.items() if name != "."}
    if not below:
        yield path
    for name, part in below.items():
        if name.startswith("f:"):
            yield from _leaves(part, f"{path}.{name[2:]}")
        else:  # an item of a list
            yield f"{path}[{name[2:]}]"
