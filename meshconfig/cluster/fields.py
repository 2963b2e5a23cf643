"""Whose fields: what `metadata.managedFields` says of a resource, and the part of it that graylane has a say in.

Source: Kubernetes, server-side apply, "Field management" (FieldsV1: `f:NAME` a field, `k:{…}` and `v:…` list items).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.objects import MANAGER, Manifest
from meshconfig.render import GROUP, MANAGED_BY


@dataclass(frozen=True, slots=True)
class OtherManager:
    """Fields of a resource's `spec` that somebody else owns: who, since when (RFC 3339), which (`.spec.exportTo`)."""

    manager: str
    time: str
    fields: tuple[str, ...]


def other_managers(live: Manifest) -> list[OtherManager]:
    """Who besides graylane owns fields of the spec, the newest first."""
    found = [
        OtherManager(entry.get("manager", "?"), entry.get("time", ""), tuple(_leaves(fields, ".spec")))
        for entry in _entries(live)
        if entry.get("manager") != MANAGER and (fields := (entry.get("fieldsV1") or {}).get("f:spec")) is not None
    ]
    return sorted(found, key=lambda one: one.time, reverse=True)


def managed_part(live: Manifest, wanted: Manifest | None) -> Manifest:
    """The part of a live resource that a server-side apply of `wanted` decides on.

    What others added beside it is not in it, and neither is what the server adds; lists are taken whole, as Istio's
    and the autoscaler's are atomic. Without `wanted`: what graylane owns.
    """
    owned: dict[str, Any] = {}
    for entry in _entries(live):
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            owned = entry.get("fieldsV1") or {}
    wanted = wanted or {}
    labels = {**owned.get("f:metadata", {}).get("f:labels", {}), f"f:{MANAGED_BY}": {}, f"f:{GROUP}": {}}
    metadata = live["metadata"]
    spec = live.get("spec", {})
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": _part(metadata.get("labels") or {}, wanted.get("metadata", {}).get("labels") or {}, labels),
        },
        # One that graylane never applied, and is to be taken over, counts with all that it says.
        "spec": _part(spec, wanted.get("spec", {}), owned["f:spec"]) if "f:spec" in owned else spec,
    }


def _part(live: Any, wanted: Any, owned: Mapping[str, Any] | None) -> Any:
    """`owned` is None where graylane owns nothing of it, empty where it owns it as a whole."""
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
