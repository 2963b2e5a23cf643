"""Reads preview lanes from files, and checks them against the LaneGroups in the same files."""

from collections.abc import Iterable, Sequence

from meshconfig.errors import InputError, Problem, dotted
from meshconfig.groups import Group
from meshconfig.load import Document
from meshconfig.preview.check import check
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import validate
from meshconfig.spec.preview import PreviewLane


def lanes(documents: Iterable[Document], groups: Sequence[Group]) -> list[PreviewLane]:
    """The preview lanes that documents of kind Lane describe.

    Raises:
        InputError: lists every problem with file and line, also where a lane does not fit its group.
    """
    known = {group.key: group.spec for group in groups}
    found: dict[tuple[str, str], PreviewLane] = {}
    problems: list[Problem] = []
    for document in documents:
        try:
            lane = _lane(document, known)
        except InputError as error:
            problems += error.problems
            continue
        key = lane.metadata.namespace, lane.metadata.name
        if key in found:
            problems.append(document.problem(("metadata", "name"), f"the files contain a second Lane {'/'.join(key)}"))
        found[key] = lane
    if problems:
        raise InputError(sorted(problems))
    return list(found.values())


def _lane(document: Document, known: dict[tuple[str, str], LaneGroup]) -> PreviewLane:
    lane = validate(PreviewLane, document.value, document.locate)
    group = known.get((lane.metadata.namespace, lane.spec.group))
    if group is not None and (wrong := list(check(lane, group))):
        raise InputError(sorted({Problem(document.locate(path), dotted(path), said) for path, said in wrong}))
    return lane
