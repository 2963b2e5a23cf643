"""The first half of admission: the fields and types that the API server takes, by Istio's CRDs.

`fields.json` is the table of them. `tests/support/admission_fields.py` makes it, and a cluster test holds it against
the CRDs that a cluster has. A field that is null is not there, as for the API server; an item may not be null.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from meshconfig.admission import words
from meshconfig.admission.formats import FORMATS
from meshconfig.admission.refusals import At, Kind, Refusals

Check = Callable[[Any, At, Refusals], None]
Entry = str | Mapping[str, Any]

_INT64 = 2**63 - 1
_TEXT, _NUMBER, _ANY = {"type": "string"}, {"type": "integer"}, {"type": "any"}
_TEXTS = {"type": "map", "values": _TEXT}
# Kubernetes' part of every resource. Source: apimachinery, meta/v1 ObjectMeta.
OBJECT_META = {
    "fields": {
        **dict.fromkeys(("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"), _TEXT),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TEXT),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _NUMBER),
        **dict.fromkeys(("labels", "annotations"), _TEXTS),
        "finalizers": {"type": "array", "items": _TEXT},
        **dict.fromkeys(("ownerReferences", "managedFields"), _ANY),
    }
}
TOP_FIELDS: Mapping[str, Any] = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": "ObjectMeta", "status": _ANY}
_PYTHON = {"string": str, "boolean": bool}


class Node(ABC):
    """A place in a schema. Called with a value, it reports what is wrong with it."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self.wanted = str(entry.get("type", "object"))
        # Values of this type are taken as they are. Asking for it saves a call for most fields of a resource.
        self.takes: type | None = None
        self.formats = [FORMATS[name] for name in entry.get("formats", ())]

    @abstractmethod
    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        """Report what is wrong with a value at this place."""

    def wrong_type(self, value: Any, at: At, out: Refusals) -> None:
        out.add(Kind.WRONG_TYPE, at, words.wrong_type(self, at, value))

    def below(self, part: str | int) -> "Node | None":
        """The node of a field, an item or a map's value."""
        return None

    def check_size(self, name: str, size: int, at: At, out: Refusals) -> None:
        most, least = self.entry.get(f"max{name}"), self.entry.get(f"min{name}", 0)
        if most is not None and size > most:
            out.bad(at, f"takes at most {most} {words.UNITS[name]}, not {size}")
        if size < least:
            out.missing(at, f"takes at least {least} {words.UNITS[name]}, not {size}")

    def check_formats(self, value: Any, at: At, out: Refusals) -> None:
        for check in self.formats:
            out.bad(at, check(value))


class Anything(Node):
    """A value that is not looked at."""

    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        """Takes every value."""


class Scalar(Node):
    """A string, a number, or true or false."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        super().__init__(entry)
        self.python = _PYTHON.get(self.wanted)
        self.bounded = bool(entry.keys() - {"type", "nullable"})
        self.takes = None if self.bounded else self.python

    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        if type(value) is not self.python and not self._is_number(value):
            self.wrong_type(value, at, out)
        elif self.bounded or self.python is None:
            self._check_value(value, at, out)

    def _is_number(self, value: Any) -> bool:
        if self.python is not None or type(value) not in (int, float):
            return False
        return self.wanted == "number" or type(value) is int or value.is_integer()

    def _check_value(self, value: Any, at: At, out: Refusals) -> None:
        least, most = self.entry.get("min"), self.entry.get("max", _INT64 if self.wanted == "integer" else None)
        if (least is not None and value < least) or (most is not None and value > most):
            out.bad(at, f"takes {words.span(least, most)}, not {value}")
        if "enum" in self.entry and value not in self.entry["enum"]:
            out.bad(at, words.not_of(value, self.entry["enum"]))
        if self.wanted == "string":
            self.check_size("Length", len(value), at, out)
        self.check_formats(value, at, out)


class Array(Node):
    """A list."""

    def __init__(self, entry: Mapping[str, Any], table: "Table") -> None:
        super().__init__(entry)
        self.table = table
        self.bounded = bool(entry.keys() - {"type", "items"})

    @cached_property
    def items(self) -> Node:
        return self.table.node(self.entry["items"])

    def below(self, part: str | int) -> Node | None:
        return self.items

    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        if type(value) is not list:
            self.wrong_type(value, at, out)
            return
        check = self.items
        for number, item in enumerate(value):
            check(item, (at, number), out)
        if self.bounded:
            self.check_size("Items", len(value), at, out)
            self.check_formats(value, at, out)
            self._check_key(value, at, out)

    def _check_key(self, value: list[Any], at: At, out: Refusals) -> None:
        if (key := self.entry.get("key")) is None:
            return
        seen: dict[Any, int] = {}
        for number, item in enumerate(value):
            name = item.get(key) if isinstance(item, Mapping) else None
            if isinstance(name, str) and (earlier := seen.setdefault(name, number)) != number:
                out.repeated((at, number), f"{key} {name} stands in [{earlier}] already: give each its own")


class Map(Node):
    """A mapping whose keys its author chooses."""

    def __init__(self, entry: Mapping[str, Any], table: "Table") -> None:
        super().__init__(entry)
        self.table = table
        self.bounded = bool(entry.keys() - {"type", "values"})

    @cached_property
    def values(self) -> Node:
        return self.table.node(self.entry["values"])

    def below(self, part: str | int) -> Node | None:
        return self.values

    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        if not isinstance(value, dict):
            self.wrong_type(value, at, out)
            return
        check = self.values
        for name, part in value.items():
            if part is not None:
                check(part, (at, name), out)
        if self.bounded:
            self.check_size("Properties", len(value), at, out)
            self.check_formats(value, at, out)


class Object(Node):
    """A mapping with fields."""

    def __init__(self, entry: Mapping[str, Any], table: "Table") -> None:
        super().__init__(entry)
        self.table = table
        self.required = tuple(entry.get("required", ()))
        self.one_of = tuple(tuple(group) for group in entry.get("oneOf", ()))

    @cached_property
    def fields(self) -> dict[str, Node]:
        return {name: self.table.node(part) for name, part in self.entry["fields"].items()}

    def below(self, part: str | int) -> Node | None:
        return self.fields.get(str(part))

    def __call__(self, value: Any, at: At, out: Refusals) -> None:
        if not isinstance(value, dict):
            self.wrong_type(value, at, out)
            return
        fields = self.fields
        unknown = []
        for name, part in value.items():
            check = fields.get(name)
            if check is None:
                unknown.append(name)
            elif part is not None and type(part) is not check.takes:
                check(part, (at, name), out)
        if unknown:
            for name in unknown:
                out.add(Kind.UNKNOWN_FIELD, (at, name), "")  # `check` knows more of the fields around it
        elif self.required:
            self._check_required(value, at, out)
        for group in self.one_of:
            given = [name for name in group if value.get(name) is not None]
            if len(given) > 1:
                out.contradiction(at, f"takes one of {words.listed(group)}, not {words.listed(given, 'and')}")

    def _check_required(self, value: Mapping[str, Any], at: At, out: Refusals) -> None:
        """Reports the missing fields. Beside an unknown one they are not told: it may be one of them, misspelt."""
        for name in self.required:
            if value.get(name) is None:
                out.missing(at, f"{name} is missing{words.example_of(name)}")


class Table:
    """The nodes of all kinds, made when they are first needed."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.kinds: Mapping[str, Any] = entries["kinds"]
        self._shapes: Mapping[str, Any] = {**entries["shapes"], "ObjectMeta": OBJECT_META}
        self._made: dict[str, Object] = {}

    def node(self, entry: Entry) -> Node:
        if isinstance(entry, str):
            if entry not in self._made:
                self._made[entry] = Object(self._shapes[entry], self)
            return self._made[entry]
        match entry["type"]:
            case "array":
                return Array(entry, self)
            case "map":
                return Map(entry, self)
            case "any":
                return Anything(entry)
        return Scalar(entry)

    def resource(self, kind: str) -> Node:
        """The node of a whole resource."""
        name = f"{kind} with its metadata"
        if name not in self._made:
            fields = {**TOP_FIELDS, "spec": self.kinds[kind]["spec"]}
            self._made[name] = Object({"fields": fields, "required": self.kinds[kind]["required"]}, self)
        return self._made[name]


def read() -> dict[str, Any]:
    """The table as it is stored."""
    found: dict[str, Any] = json.loads((files("meshconfig.admission") / "fields.json").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def table() -> Table:
    """Istio's kinds."""
    return Table(read())
