"""Files as they are in a revision of a Git repository. It reads objects alone, and starts no hook and no filter."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshconfig.bounded import Room, TooMuchError, read_all
from meshconfig.errors import InputError
from meshconfig.load import SUFFIXES, Document, parse

PREFIX = "git:"
_BLOB = "100"  # how the modes of files begin; a symbolic link and a submodule have others


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that an option names.

    Parameters:
        name: as the user writes it.
        path: a path in the repository; empty for the same files as now.
    """

    name: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Revision":
        """Reads `git:REV` or `git:REV:PATH`.

        Raises:
            InputError: it is neither.
        """
        name, _, path = text.removeprefix(PREFIX).partition(":")
        if not name or name.startswith("-") or any(map(str.isspace, name)):
            raise _wrong(f"takes git:REVISION or git:REVISION:PATH, such as git:main, not {text!r}")
        return cls(name, path)


def read_at(revision: Revision, files: Sequence[str]) -> tuple[list[Document], list[str]]:
    """The documents of files as they were in a revision.

    Parameters:
        files: files and directories, as they are named now; read where the revision names no path.

    Returns:
        The documents, and the files that were not there then.

    Raises:
        InputError: there is no Git, no repository, no such revision, none of the files was there, or they are beyond
            a bound.
    """
    if not revision.path and "-" in files:
        raise _wrong(f"standard input has no revision: write {PREFIX}{revision.name}:PATH")
    names = [revision.path] if revision.path else list(files)
    room = Room()
    documents: list[Document] = []
    missing: list[str] = []
    for name in names:
        place = _Place.of(revision, name, inside=not revision.path)
        found = list(place.files())
        missing += [] if found else [name]
        documents += [document for path in found for document in place.documents(path, room)]
    if len(missing) == len(names):
        raise InputError.at(f"{revision.name}:{names[0]}", f"no such file in revision {revision.name}")
    return documents, missing


@dataclass(frozen=True, slots=True)
class _Place:
    """A path in a commit. `folder`: where Git runs. `path`: below the repository's root, without a slash at its end."""

    revision: Revision
    folder: str
    commit: str
    path: str

    @classmethod
    def of(cls, revision: Revision, name: str, *, inside: bool) -> "_Place":
        """Parameters:
        inside: the name is that of a file now; otherwise it is a path from the repository's root, or `./` from here.
        """
        here = not inside and not name.startswith(("./", "../"))
        whole = Path(os.path.abspath(name))  # noqa: PTH100  resolve would follow a link out of the repository
        folder = str(Path.cwd() if here else whole if whole.is_dir() else whole.parent)
        prefix = _git(folder, "rev-parse", "--show-prefix")
        if prefix is None:
            raise _wrong(f"{folder} is in no Git repository")
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision.name}^{{commit}}")
        if commit is None:
            raise _wrong(
                f"there is no revision {revision.name} here; a shallow clone, as in CI, lacks it until it is fetched"
            )
        below = prefix.decode().rstrip("\n")
        path = name.strip("/") if here else below if whole.is_dir() else f"{below}{whole.name}"
        return cls(revision, folder, commit.decode().strip(), os.path.normpath(path).strip("/") if path else "")

    def files(self) -> Iterator[str]:
        """The paths of the file, or of the YAML files directly in the directory; none where there is neither."""
        for mode, path in self._listed(self.path) if self.path not in ("", ".") else [("040000", "")]:
            if mode.startswith(_BLOB):
                yield path
            elif mode == "040000":
                below = self._listed(f"{path}/" if path else "")
                yield from (one for kind, one in below if kind.startswith(_BLOB) and one.endswith(SUFFIXES))

    def _listed(self, path: str) -> list[tuple[str, str]]:
        """Mode and path of what a tree has at a path; of what is in it, where the path ends in a slash or is empty."""
        arguments = ["ls-tree", "-z", "--full-tree", self.commit, *(["--", path] if path else [])]
        lines = (_git(self.folder, *arguments) or b"").decode(errors="surrogateescape").split("\0")
        return [(line.partition(" ")[0], line.partition("\t")[2]) for line in lines if line]

    def documents(self, path: str, room: Room) -> list[Document]:
        """The documents of one file.

        Parameters:
            room: what is left of the bounds for all files; it gets less.
        """
        label = f"{self.revision.name}:{path}"
        try:
            return parse(self._content(path, room).decode(), label, room)
        except TooMuchError as error:
            raise InputError.at(label, str(error), line=error.line) from None
        except UnicodeDecodeError:
            raise InputError.at(label, "not UTF-8 text") from None

    def _content(self, path: str, room: Room) -> bytes:
        words = _command(self.folder, "cat-file", "blob", f"{self.commit}:{path}")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()) as running:
            assert running.stdout is not None  # it is a pipe
            return read_all(running.stdout, room)


def _command(folder: str, *arguments: str) -> list[str]:
    return ["git", "-C", folder, *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1"}


def _git(folder: str, *arguments: str) -> bytes | None:
    """What Git prints; None where it fails."""
    try:
        ended = subprocess.run(_command(folder, *arguments), capture_output=True, env=_environment(), check=False)
    except FileNotFoundError:
        raise _wrong("git is not installed, or not on PATH") from None
    if ended.returncode and b"dubious ownership" in ended.stderr:
        raise _wrong(
            f"Git does not trust the repository, which belongs to somebody else: git config --global --add "
            f"safe.directory {folder}"
        )
    return None if ended.returncode else ended.stdout


def _wrong(message: str) -> InputError:
    return InputError.at("--against", message)
