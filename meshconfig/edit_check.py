"""Checks an edit of a spec before it is written: it stays valid, users stay, and lint finds no new error."""

from meshconfig.draws import refused_moves
from meshconfig.edit.draft import Draft
from meshconfig.edit.files import Texts
from meshconfig.errors import GraylaneError
from meshconfig.lint import Finding, Level, index, lint


def checked_edit(texts: Texts, draft: Draft) -> tuple[Texts, tuple[str, ...]]:
    """The texts after an edit, and what a person should know about it, a line each.

    Raises:
        InputError: the edited spec is invalid.
        GraylaneError: lint reports an error that the old spec did not have, or users of a sticky split would change
            lanes whom no share moves.
    """
    after = texts.edited(draft)
    _check_users(draft, after)
    return after, (*draft.notes, *_new_findings(texts, after))


def _check_users(draft: Draft, after: Texts) -> None:
    """
    Raises:
        GraylaneError: users of a sticky split would change lanes whom no share moves.
    """
    before = draft.group.model
    (edited,) = [group.model for group in after.groups if group.key == draft.group.key]
    if moved := list(refused_moves(before.routing(), edited.routing(), before.baseline)):
        raise GraylaneError("\n".join(f"nothing was written: {one}" for one in moved))


def _new_findings(before: Texts, after: Texts) -> list[str]:
    """The warnings of lint on the edited spec that the old spec did not have.

    Raises:
        GraylaneError: lint reports a new error.
    """
    known = {_same(one) for one in lint(index(before.every))}
    new = [one for one in lint(index(after.every)) if _same(one) not in known]
    if errors := [one for one in new if one.level is Level.ERROR]:
        lines = "\n".join(map(str, errors))
        raise GraylaneError(
            f"nothing was written, because lint reports errors (line numbers are those after the edit):\n{lines}"
        )
    return [str(one) for one in new if one.level is Level.WARNING]


def _same(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.path, finding.message
