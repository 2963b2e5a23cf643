"""Keeps a directory of rendered files up to date: writes files that differ, removes those no longer rendered.

The content of a file decides whether graylane may touch it. It must have the name that `file_name` gives to its
resource, graylane's label, and the label of a group that is being rendered. All other files belong to others.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from meshconfig.atomic import replace_file
from meshconfig.bounded import Room, TooMuchError, read_all
from meshconfig.errors import InputError, Location, Problem
from meshconfig.load import parse
from meshconfig.model import Model
from meshconfig.render import GROUP, MANAGED_BY, Manifest, file_name, to_yaml

MOST_LINES = 40  # most lines shown of one file's difference


@dataclass(frozen=True, slots=True)
class File:
    """One file that is out of date: `found` is None if it is missing, `wanted` is None if it should be removed."""

    path: Path
    found: bytes | None
    wanted: bytes | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A directory beside what is rendered.

    Parameters:
        files: the files to write or remove, by name.
        unchanged: the number of files that are up to date.
        left: files with a group's name but in another namespace; a group of the same name may own them, so they stay.
    """

    directory: Path
    files: tuple[File, ...]
    unchanged: int
    left: tuple[Path, ...]

    @property
    def missing(self) -> list[File]:
        return [file for file in self.files if file.found is None]

    @property
    def superfluous(self) -> list[File]:
        return [file for file in self.files if file.wanted is None]

    @property
    def different(self) -> list[File]:
        return [file for file in self.files if file.found is not None and file.wanted is not None]


def compare(manifests: Iterable[Manifest], models: Iterable[Model], directory: Path) -> Comparison:
    """Compare a directory with the rendered resources. The directory need not exist.

    Parameters:
        models: the groups that are being rendered; files of other groups are not touched.

    Raises:
        InputError: a file of that name does not belong to graylane, or cannot be read.
    """
    groups = frozenset((model.namespace, model.group) for model in models)
    names = frozenset(name for _, name in groups)
    wanted = {file_name(one): to_yaml([one]).encode() for one in manifests}
    try:
        judged = [_judged(directory / name, wanted[name], names) for name in sorted(wanted)]
        others = [one for one in _owned(directory) if one.path.name not in wanted and one.group in names]
        gone = [File(one.path, one.path.read_bytes(), None) for one in others if (one.namespace, one.group) in groups]
    except OSError as error:
        raise _unusable(directory, error) from None
    if taken := [one for one in judged if isinstance(one, Problem)]:
        raise InputError(taken)
    changed = [one for one in judged if isinstance(one, File)]
    return Comparison(
        directory,
        tuple(sorted([*changed, *gone], key=lambda file: file.path.name)),
        len(wanted) - len(changed),
        tuple(one.path for one in others if (one.namespace, one.group) not in groups),
    )


def write(comparison: Comparison) -> None:
    """Update the directory. Readers see each file old or new, never half of it; removals come last.

    Raises:
        InputError: a file could not be written or removed.
    """
    try:
        comparison.directory.mkdir(parents=True, exist_ok=True)
        for file in comparison.files:
            if file.wanted is not None:
                replace_file(file.path, file.wanted)
        for file in comparison.superfluous:
            file.path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(comparison.directory, error) from None


def differences(comparison: Comparison) -> Iterator[str]:
    """The lines that describe a comparison: missing and superfluous files by name, others as a short unified diff."""
    for file in comparison.files:
        if file.found is None:
            yield f"missing: {file.path}"
        elif file.wanted is None:
            yield f"superfluous: {file.path}"
        else:
            lines = list(_diff(file.path, file.found, file.wanted))
            yield from lines[:MOST_LINES]
            if len(lines) > MOST_LINES:
                yield f"… {len(lines) - MOST_LINES} more lines"


def _diff(path: Path, found: bytes, wanted: bytes) -> Iterable[str]:
    texts = (found.decode(errors="replace").splitlines(), wanted.decode().splitlines())
    return unified_diff(*texts, str(path), f"{path} (rendered)", lineterm="")


def _judged(path: Path, wanted: bytes, groups: frozenset[str]) -> File | Problem | None:
    """The change of one file; None if it is up to date; a problem if the file there must not be overwritten."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return File(path, None, wanted)
    if not stat.S_ISREG(status.st_mode):
        return Problem(Location(str(path)), "", "is no plain file, and would be overwritten: move it away")
    found = _content(path)
    if found == wanted:
        return None
    if found is None or not _may_overwrite(path, found, groups):
        whose = " or ".join(sorted(groups))
        message = f"was not written by graylane for the group {whose}, and would be overwritten: move it away"
        return Problem(Location(str(path)), "", message)
    return File(path, found, wanted)


def _content(path: Path) -> bytes | None:
    """A file's bytes; None for one that is larger than what graylane reads or writes."""
    try:
        with path.open("rb") as stream:
            return read_all(stream, Room())
    except TooMuchError:
        return None


def _may_overwrite(path: Path, found: bytes, groups: frozenset[str]) -> bool:
    """Does the file belong to a group being rendered? For broken YAML (a merge conflict) the labels in it decide."""
    try:
        documents = parse(found.decode(), str(path))
    except (InputError, UnicodeDecodeError):
        return any(_labelled(name) in found for name in groups)
    return all(_group(one.value, path.name) in groups for one in documents)


def _labelled(group: str) -> bytes:
    """A label as a rendered file contains it."""
    labels = to_yaml([{MANAGED_BY: "graylane", GROUP: group}]).splitlines()[1:]
    return "".join(f"    {line}\n" for line in labels).encode()


@dataclass(frozen=True, slots=True)
class Owned:
    """A file that graylane wrote, the namespace of its resource, and the group that it was written for."""

    path: Path
    namespace: str
    group: str


def _owned(directory: Path) -> Iterator[Owned]:
    """The files that graylane wrote. Symbolic links and unreadable files count as files of others."""
    if not directory.exists():
        return
    with os.scandir(directory) as entries:
        names = [one.name for one in entries if one.name.endswith(".yaml") and one.is_file(follow_symlinks=False)]
    for name in sorted(names):
        if owned := _read(directory / name):
            yield owned


def _read(path: Path) -> Owned | None:
    try:
        found = _content(path) or b""
        documents = parse(found.decode(), str(path)) if GROUP.encode() in found else []
    except (OSError, UnicodeDecodeError, InputError):
        return None
    groups = {_group(document.value, path.name) for document in documents}
    group = groups.pop() if len(groups) == 1 else None
    return Owned(path, documents[0].value["metadata"]["namespace"], group) if group else None


def _group(value: Any, name: str) -> str | None:
    """The group for which a document in a file of this name was written; None if graylane did not write it."""
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    if metadata is None or not isinstance(labels, Mapping) or labels.get(MANAGED_BY) != "graylane":
        return None
    parts = (metadata.get("namespace"), value.get("kind"), metadata.get("name"), labels.get(GROUP))
    if not all(part and isinstance(part, str) for part in parts) or file_name(value) != name:
        return None
    return str(labels[GROUP])


def _unusable(directory: Path, error: OSError) -> InputError:
    return InputError.at(str(error.filename or directory), error.strerror or str(error))
