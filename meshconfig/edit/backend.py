"""The edit that gives a group another backend."""

from meshconfig.edit.draft import Draft
from meshconfig.groups import Group
from meshconfig.load import FieldPath

BACKEND: FieldPath = ("spec", "backend")


def set_backend(group: Group, backend: str) -> Draft:
    """Sets `spec.backend`. Where no document of the group has it, it becomes the first field of the first spec."""
    draft = Draft(group)
    if any("backend" in (value.get("spec") or {}) for value in draft.values):
        draft.put(BACKEND, backend)
    else:
        spec = draft.values[0].setdefault("spec", {})
        given = dict(spec)
        spec.clear()
        spec.update({"backend": backend, **given})
    return draft
