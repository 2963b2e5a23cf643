"""The files of an edited spec: shown as a diff, and written all or none.

A reader sees each file either old or new, never half of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from meshconfig.atomic import Replacement, replace_file
from meshconfig.cli.common import read_documents
from meshconfig.edit.files import FileChange, Texts
from meshconfig.errors import InputError
from meshconfig.load import read_text


def read(files: Sequence[str]) -> Texts:
    """The texts of the files that `-f` names.

    Raises:
        InputError: a file cannot be read, or `-f -` names standard input.
    """
    if "-" in files:
        raise InputError.at("-", "standard input cannot be edited: name the file")
    names = dict.fromkeys(document.file for document in read_documents(files))
    return Texts({name: read_text(name) for name in names})


class Staged:
    """New contents, written to temporary files that then replace the originals."""

    def __init__(self, changes: Sequence[FileChange]) -> None:
        self._changes = changes
        self._new: list[Replacement] = []
        self.committed = False

    def stage(self) -> None:
        """Write the temporary files. What can fail, such as a full disk or a missing permission, fails here."""
        for one in self._changes:
            self._new.append(Replacement(Path(one.file), one.after.encode(), durable=True))

    def commit(self) -> None:
        """Replace every file by its new content. A second call does nothing.

        Raises:
            InputError: another process changed a file in the meantime; then no file is replaced.
        """
        if self.committed:
            return
        for one in self._changes:
            path = Path(one.file)
            found = path.read_bytes().decode() if path.exists() else None
            if found != one.before:
                raise InputError.at(one.file, "was changed by another process in the meantime: nothing was written")
        done: list[FileChange] = []
        try:
            for one, new in zip(self._changes, self._new, strict=True):
                new.commit()
                done.append(one)
        except OSError:
            for one in done:
                _restore(one)
            raise
        self.committed = bool(done)

    def discard(self) -> None:
        for new in self._new:
            new.discard()


@contextmanager
def staged(changes: Sequence[FileChange]) -> Iterator[Staged]:
    """The changes, staged in temporary files. If the block does not commit them, the files are removed.

    Raises:
        InputError: a file cannot be written.
    """
    found = Staged(changes)
    try:
        found.stage()
        yield found
    except OSError as error:
        raise InputError.at(str(error.filename or "files"), error.strerror or str(error)) from None
    finally:
        found.discard()


def _restore(one: FileChange) -> None:
    with suppress(OSError):
        if one.before is None:
            Path(one.file).unlink(missing_ok=True)
        else:
            replace_file(Path(one.file), one.before.encode(), durable=True)
