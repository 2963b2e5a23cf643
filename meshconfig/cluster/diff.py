"""The difference between two sets of resources: created, changed and deleted ones, as values, unified diff or JSON."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from meshconfig.cluster.objects import CONTENT, Key, Manifest, State
from meshconfig.errors import dotted
from meshconfig.render import to_yaml


class Kind(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Field:
    """One field that differs; None where the field is missing."""

    path: str
    live: Any
    wanted: Any


@dataclass(frozen=True, slots=True)
class ResourceDiff:
    """The fields of one resource that graylane manages, live and wanted. None: the resource does not exist there."""

    key: Key
    live: Manifest | None
    wanted: Manifest | None

    @property
    def kind(self) -> Kind:
        if self.live is None:
            return Kind.CREATED
        return Kind.DELETED if self.wanted is None else Kind.CHANGED

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    def fields(self) -> list[Field]:
        """The fields that differ. Lists of equal length are compared item by item, others as a whole."""
        return list(_fields(_said(self.live), _said(self.wanted), ()))

    def unified(self, live: str = "live") -> str:
        """A unified diff of the live and the wanted resource as YAML.

        Parameters:
            live: what the first of the two is called.
        """
        there = _in_order_of(self.live, self.wanted)  # an API server returns fields in an order of its own
        before, after = (to_yaml([one]).splitlines(keepends=True) if one else [] for one in (there, self.wanted))
        name = f"{self.key.kind}/{self.key.namespace}/{self.key.name}"
        return "".join(difflib.unified_diff(before, after, f"{live}/{name}", f"wanted/{name}"))

    def as_json(self) -> dict[str, Any]:
        """{"kind", "namespace", "name", "change", "fields": [{"path", "live", "wanted"}]}"""
        fields = [{"path": one.path, "live": one.live, "wanted": one.wanted} for one in self.fields()]
        return {**self.key._asdict(), "change": self.kind.value, "fields": fields}


def differences(live: State, wanted: State) -> list[ResourceDiff]:
    """The changes that turn `live` into `wanted`. Both hold managed fields only (`fields.managed_part`)."""
    changed = [
        ResourceDiff(key, live.get(key), manifest) for key, manifest in wanted.items() if live.get(key) != manifest
    ]
    return changed + [ResourceDiff(key, manifest, None) for key, manifest in live.items() if key not in wanted]


def _in_order_of(live: Any, wanted: Any) -> Any:
    """The live value with its fields in the order of the wanted one; fields that only it has are last."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        names = [*(name for name in wanted if name in live), *(name for name in live if name not in wanted)]
        return {name: _in_order_of(live[name], wanted.get(name)) for name in names}
    if isinstance(live, list) and isinstance(wanted, list):
        return [_in_order_of(*pair) for pair in zip_longest(live, wanted[: len(live)])]
    return live


def _said(manifest: Manifest | None) -> dict[str, Any]:
    if not manifest:
        return {}
    return {"labels": manifest["metadata"]["labels"], **{name: manifest[name] for name in CONTENT if name in manifest}}


def _fields(live: Any, wanted: Any, path: tuple[str | int, ...]) -> Iterator[Field]:
    if live == wanted:
        return
    if isinstance(live, dict) and isinstance(wanted, dict):
        for name in {**live, **wanted}:
            yield from _fields(live.get(name), wanted.get(name), (*path, name))
    elif isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        for number, (here, there) in enumerate(zip(live, wanted, strict=True)):
            yield from _fields(here, there, (*path, number))
    else:
        yield Field(dotted(path), live, wanted)
