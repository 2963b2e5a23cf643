"""The texts of a spec's files, before and after an edit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import cached_property

from meshconfig.edit.draft import Draft
from meshconfig.edit.rewrite import MARK, documents, rewrite, span
from meshconfig.errors import InputError, Location, Problem
from meshconfig.groups import Group, groups
from meshconfig.load import Document


@dataclass(frozen=True)
class Texts:
    """The texts of some files by file name. They are read together, as `meshconfig.groups.read` does."""

    by_file: Mapping[str, str]

    @cached_property
    def documents(self) -> Mapping[str, Sequence[Document]]:
        return {file: documents(text, file) for file, text in self.by_file.items()}

    @cached_property
    def every(self) -> Sequence[Document]:
        return [document for found in self.documents.values() for document in found]

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The groups in the files.

        Raises:
            InputError: a spec is invalid.
        """
        return groups(self.every, list(self.by_file))

    def edited(self, draft: Draft) -> "Texts":
        """The texts after an edit of one of `groups`.

        Raises:
            InputError: a text cannot be edited so, or the edited spec would be invalid.
        """
        _check_text(draft)
        wanted = {id(one): value for one, value in zip(draft.group.documents, draft.values, strict=True)}
        after = Texts(
            {
                file: rewrite(text, file, [wanted.get(id(one), one.value) for one in self.documents[file]])
                for file, text in self.by_file.items()
            }
        )
        try:
            _ = after.groups
        except InputError as error:
            hint = Location("nothing was written, as the spec would be wrong (lines are those after the edit):")
            raise InputError([Problem(hint, "", ""), *error.problems]) from None
        return after

    def changed(self, after: "Texts") -> Mapping[str, tuple[str, str]]:
        """The text before and after, of each file that differs."""
        pairs = {file: (text, after.by_file[file]) for file, text in self.by_file.items()}
        return {file: pair for file, pair in pairs.items() if pair[0] != pair[1]}


def _check_text(draft: Draft) -> None:
    """Refuse what no file can have: an argument in another encoding than UTF-8, which Python reads as surrogates."""
    try:
        json.dumps(draft.values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        start = str(error.object).rfind('"', 0, error.start) + 1
        word = str(error.object)[start : str(error.object).find('"', error.start)]
        message = f"{word!r} cannot be written: it is no UTF-8; give it in UTF-8"
        raise InputError.at(draft.group.documents[0].file, message) from None


def piece(text: str, document: Document) -> str:
    """The part of a file's text that is one document, with the comments before it and in it."""
    bare = text.removeprefix(MARK)
    return bare[span(bare, document)]


@dataclass(frozen=True, slots=True)
class FileChange:
    """The change of one file; `before` is None for a new file."""

    file: str
    before: str | None
    after: str

    def diff(self) -> list[str]:
        """The lines of a unified diff, without line ends."""
        before = (self.before or "").splitlines()
        name = self.file if self.before is not None else "/dev/null"
        return list(unified_diff(before, self.after.splitlines(), name, self.file, lineterm=""))


def changes(before: Texts, after: Texts) -> list[FileChange]:
    return [FileChange(file, *pair) for file, pair in before.changed(after).items()]
