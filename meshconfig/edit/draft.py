"""An edit of a group's documents as values, field by field, before it is written as text."""

from collections.abc import Sequence
from typing import Any

from meshconfig.errors import InputError, dotted
from meshconfig.groups import Group
from meshconfig.load import FieldPath

SPEC: FieldPath = ("spec",)
SERVICES: FieldPath = ("spec", "services")
LANES: FieldPath = ("spec", "lanes")


class Draft:
    """The wanted values of a group's documents; `notes` are lines for the user.

    If several documents contain the same service or lane, it is changed in each of them.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.values = [unshared(document.value) for document in group.documents]
        self.notes: list[str] = []

    def put(self, path: FieldPath, value: Any, *, after: str | None = None) -> None:
        """Set a field of a service or lane. A new field is placed after the field `after`, or at the end."""
        for document in self._stating(path):
            _put(document, path, unshared(value), after)

    def drop(self, path: FieldPath) -> None:
        """Remove a field from each document that has it."""
        for document in self._stating(path):
            holder = _at(document, path[:-1])
            if isinstance(holder, dict):
                holder.pop(path[-1], None)

    def add(self, path: FieldPath, value: Any) -> None:
        """Add a service or lane to the first document that has any."""
        for document in self.values:
            holder = _at(document, path[:-1])
            if isinstance(holder, dict):
                holder[path[-1]] = unshared(value)
                return

    def entry(self, index: int) -> dict[str, Any]:
        """The entry with this number in the group."""
        entries = [entry for document in self.values for entry in _at(document, ("spec", "entries")) or ()]
        found: dict[str, Any] = entries[index]
        return found

    def note(self, path: FieldPath, message: str) -> None:
        self.notes.append(f"{self.group.locate(path)}: {message}")

    def error(self, path: FieldPath, message: str) -> InputError:
        location = self.group.locate(path)
        return InputError.at(location.file, message, line=location.line, path=dotted(path))

    def _stating(self, path: FieldPath) -> Sequence[Any]:
        return [document for document in self.values if _at(document, path[:3]) is not None]


def unshared(value: Any) -> Any:
    """A deep copy in which YAML aliases are separate values, so that a change of one does not change the other."""
    if isinstance(value, dict):
        return {name: unshared(part) for name, part in value.items()}
    return [unshared(part) for part in value] if isinstance(value, list) else value


def _at(value: Any, path: FieldPath) -> Any | None:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def _put(document: Any, path: FieldPath, value: Any, after: str | None) -> None:
    holder = document
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    name = path[-1]
    if name in holder or after not in holder:
        holder[name] = value
        return
    pairs = list(holder.items())
    place = list(holder).index(after) + 1
    holder.clear()
    holder.update([*pairs[:place], (name, value), *pairs[place:]])
