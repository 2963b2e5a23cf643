"""Reads rollouts from files, and checks them against the LaneGroups in the same files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshconfig.errors import InputError, Problem
from meshconfig.groups import Group
from meshconfig.load import Document
from meshconfig.rollout import check
from meshconfig.spec import LaneGroup, Rollout


@dataclass(frozen=True, slots=True)
class Written:
    """A rollout and its document; `group` is its LaneGroup if the same files contain it."""

    rollout: Rollout
    document: Document
    group: LaneGroup | None

    @property
    def name(self) -> str:
        return f"{self.rollout.metadata.namespace}/{self.rollout.metadata.name}"


def rollouts(documents: Iterable[Document], groups: Sequence[Group]) -> list[Written]:
    """All documents of kind Rollout.

    Raises:
        InputError: lists every problem with file and line, also where a rollout does not fit its group.
    """
    known = {group.key: group.spec for group in groups}
    found: dict[str, Written] = {}
    problems: list[Problem] = []
    for document in (one for one in documents if one.own and one.kind == check.KIND):
        try:
            one = _written(document, known)
        except InputError as error:
            problems += error.problems
            continue
        if one.name in found:
            problems.append(document.problem(("metadata", "name"), f"the files contain a second rollout {one.name}"))
        found[one.name] = one
    if problems:
        raise InputError(sorted(problems))
    return list(found.values())


def _written(document: Document, known: dict[tuple[str, str], LaneGroup]) -> Written:
    rollout = check.parse(document)
    namespace, name = rollout.metadata.namespace, rollout.spec.group
    group = known.get((namespace, name))
    if group is not None:
        check.fits(rollout, group, document)
    return Written(rollout, document, group)
