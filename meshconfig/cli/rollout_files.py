"""The rollouts that files hold, checked as far as files can tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshconfig.errors import InputError, Problem
from meshconfig.groups import Group
from meshconfig.load import Document
from meshconfig.rollout import check
from meshconfig.spec import LaneGroup, Rollout


@dataclass(frozen=True, slots=True)
class Written:
    """A rollout and the document that it was read from; `group` is its LaneGroup, where the same files hold it."""

    rollout: Rollout
    document: Document
    group: LaneGroup | None

    @property
    def name(self) -> str:
        return f"{self.rollout.metadata.namespace}/{self.rollout.metadata.name}"


def rollouts(documents: Iterable[Document], groups: Sequence[Group]) -> list[Written]:
    """All of kind Rollout.

    Raises:
        InputError: what is wrong with each of them, and where; that one does not fit its group among it.
    """
    known = {group.key: group.spec for group in groups}
    found: dict[str, Written] = {}
    problems: list[Problem] = []
    for document in (one for one in documents if one.kind == check.KIND):
        try:
            one = _written(document, known)
        except InputError as error:
            problems += error.problems
            continue
        if one.name in found:
            problems.append(document.problem(("metadata", "name"), f"there is a rollout {one.name} already"))
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
