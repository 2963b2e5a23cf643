"""Reads YAML files into documents that find the line of any field."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from meshconfig.bounded import Room, TooMuchError, read_all
from meshconfig.errors import InputError, Location, Problem, dotted
from meshconfig.yaml_nodes import Builder, FieldPath, Loader, compose, has_anchors

__all__ = ["SUFFIXES", "Document", "FieldPath", "Loader", "load", "parse", "read_text"]

SUFFIXES = (".yaml", ".yml", ".json")
_LONGEST_PATH = 4096  # bytes, Linux's PATH_MAX; longer is an inline patch
OWN = ("Lane", "LaneGroup", "LocalMesh", "Rollout", "RouteTest")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value as plain dicts, lists and scalars, and the position of each field.

    The value is None where a foreign document cannot be built, such as one with CloudFormation's tags. A patch of
    Kustomize has none either: it is a part of a resource.
    """

    file: str
    value: Any
    root: yaml.Node = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """The document's `kind`; empty if it has none."""
        return _word(self.value.get("kind")) if isinstance(self.value, dict) else ""

    @property
    def own(self) -> bool:
        """Whether it is meant for graylane: by its apiVersion, or by a kind that no other API group has claimed."""
        if not isinstance(self.value, dict):
            return False
        version = _word(self.value.get("apiVersion"))
        return version.startswith(("graylane/", "graylane.dev/")) or (self.kind in OWN and "/" not in version)

    @property
    def foreign(self) -> bool:
        """Whether it is neither graylane's nor a Kubernetes resource, such as a CI workflow or a chart's values."""
        return not self.own and not (isinstance(self.value, dict) and isinstance(self.value.get("kind"), str))

    def has(self, path: Sequence[str | int]) -> bool:
        """Whether the document has a field at this path."""
        value = self.value
        try:
            for part in path:
                value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def locate(self, path: Sequence[str | int]) -> Location:
        """The file and line of a field; for a missing field, those of the nearest field around it."""
        node, mark = self.root, self.root.start_mark
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            key, node = found
            mark = key.start_mark
        return Location(self.file, mark.line + 1)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem with a field, at the field's file and line."""
        return Problem(self.locate(path), dotted(path), message)


def load(sources: Iterable[str]) -> list[Document]:
    """Reads every document of the named files.

    Parameters:
        sources: paths of files or directories; `-` is standard input. Of a directory, the files *.yaml, *.yml and
            *.json are read, but no directories below (`folders` lists those). A file that is named twice, or also by a
            link, is read once.

    Raises:
        InputError: a file cannot be read or is not YAML; the message has the line where reading stopped.
    """
    seen: set[Path] = set()
    files = [(file, name) for name in sources for file in _files(name) if file == "-" or _first_time(file, seen)]
    room = Room()
    documents = [document for file, _ in files for document in parse(read_text(file, room), file, room)]
    by_itself = {file for file, name in files if file == name}  # a patch is read if the user wants this file
    if not (patches := _patches(documents)):
        return documents
    left_out = {one.file for one in documents if one.file not in by_itself and os.path.realpath(one.file) in patches}
    return [Document(one.file, None, one.root) if one.file in left_out else one for one in documents]


_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")  # in these, `kind` may be left out


def _patches(documents: Iterable[Document]) -> set[str]:
    """The real paths of the files that a Kustomization of Kustomize among the documents names as patches.

    Source: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/ (patches, patchesStrategicMerge,
    patchesJson6902).
    """
    found: set[str] = set()
    for one in documents:
        if isinstance(one.value, dict) and (
            str(one.value.get("apiVersion", "")).startswith("kustomize.config.k8s.io/")
            or Path(one.file).name in _KUSTOMIZATIONS
        ):
            folder = Path(one.file).parent
            found.update(os.path.realpath(folder / path) for path in _patch_paths(one.value))
    return found


def _patch_paths(kustomization: dict[Any, Any]) -> Iterator[str]:
    for field_name in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        listed = kustomization.get(field_name)
        for one in listed if isinstance(listed, list) else ():
            path = one.get("path") if isinstance(one, dict) else one
            if isinstance(path, str) and path and len(path) < _LONGEST_PATH and "\n" not in path and "\0" not in path:
                yield path


def folders(directory: str) -> Iterator[str]:
    """The directories below one that have YAML files, in order; those whose names begin with a dot are left out."""
    for path, below, files in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if path != directory and any(name.endswith(SUFFIXES) for name in files):
            yield path


def empty(sources: Iterable[str]) -> InputError:
    """The error for sources without any document."""
    names = ["standard input" if name == "-" else name for name in sources]
    return InputError.at(", ".join(names) or "input", "is empty: there is no YAML document in it")


def parse(text: str, file: str, room: Room | None = None) -> list[Document]:
    """The documents of one YAML text, without empty ones.

    Documents of graylane and of Kubernetes have to be right. What is wrong in the others, such as a key that is given
    twice, is nobody's business here.

    Parameters:
        file: the name of the file, for errors.
        room: what is left of the bounds for this text and further ones; default: all.

    Raises:
        InputError: the text is not YAML, a key is repeated, an alias contains itself, or it is beyond a bound. In a
            document of graylane, also a key that is not a string.
    """
    try:
        roots = compose(text, room or Room())
        aliases = has_anchors(text)
        return [found for root in roots if (found := _document(root, file, aliases=aliases)) is not None]
    except TooMuchError as error:
        raise InputError.at(file, str(error), line=error.line) from None
    except InputError as error:
        raise _template(text, file, error.problems[0].location.line) or error from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 0
        raise (
            _template(text, file, line) or _tab(text, file, line) or InputError.at(file, f"not YAML: {what}", line=line)
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise InputError.at(file, f"not YAML: a control character, #x{error.character:04x}", line=line) from None
    except yaml.YAMLError as error:
        raise InputError.at(file, f"not YAML: {_one_line(error)}") from None


def _document(root: yaml.Node, file: str, *, aliases: bool) -> Document | None:
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    names = {key.value: value for key, value in pairs if isinstance(key, yaml.ScalarNode)}
    kinds = {name: names[name].value for name in ("apiVersion", "kind") if isinstance(names.get(name), yaml.ScalarNode)}
    bare = Document(file, kinds, root)
    try:
        value = Builder(file, strict=bare.own, aliases=aliases).value(root, ())
    except InputError:
        if not bare.foreign:
            raise
        return Document(file, None, root)
    return None if value is None else Document(file, value, root)


# In the start of a line: the time that it takes grows with the square of the length.
_TEMPLATE = re.compile(r"[^#\"']{0,200}?(?:^\s*|[:,\[{-]\s+)(\{\{.{0,200}?\}\}|\{%.{0,200}?%\})")


def _template(text: str, file: str, line: int) -> InputError | None:
    """The error for a text with placeholders of Helm or Jinja: at the last one before a line, or else at the first."""
    if "{{" not in text and "{%" not in text:
        return None
    marked = ((at, one) for at, one in enumerate(text.split("\n"), 1) if "{{" in one or "{%" in one)
    found = [(at, match[1]) for at, one in marked if (match := _TEMPLATE.match(one))]
    if not found:
        return None
    at, shown = next((one for one in reversed(found) if one[0] <= line), found[0])
    message = (
        f"a template and not YAML yet, because of {shown}: render it first, such as: helm template CHART | graylane"
    )
    return InputError.at(file, f"{message} … -f -", line=at)


def _tab(text: str, file: str, line: int) -> InputError | None:
    """The error for a tab that indents the line where reading stopped, or one beside it."""
    lines = text.splitlines()
    for at in (line, line - 1, line + 1):
        if 0 < at <= len(lines) and "\t" in lines[at - 1][: -len(lines[at - 1].lstrip()) or None]:
            return InputError.at(file, "a tab indents this line: YAML takes spaces only", line=at)
    return None


def _first_time(file: str, seen: set[Path]) -> bool:
    real = Path(os.path.realpath(file))
    new = real not in seen
    seen.add(real)
    return new


def _files(name: str) -> Iterator[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        yield name
        return
    files = sorted(str(file) for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not files:
        below = f"; -R reads the folders below, such as {found}" if (found := next(folders(name), None)) else ""
        raise InputError.at(name, f"no *.yaml file in this directory{below}")
    yield from files


def read_text(file: str, room: Room | None = None) -> str:
    """The text of a file, or of standard input for `-`.

    Parameters:
        room: what is left of the bounds for this file and further ones; default: all.

    Raises:
        InputError: it cannot be read, is not UTF-8, or has too many bytes.
    """
    room = room or Room()
    try:
        if file == "-":
            return read_all(sys.stdin.buffer, room).decode()  # bytes: the encoding of sys.stdin depends on the locale
        with Path(file).open("rb") as stream:
            return read_all(stream, room).decode()
    except TooMuchError as error:
        raise InputError.at(file, str(error), line=error.line) from None
    except FileNotFoundError:
        raise InputError.at(file, "no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError.at(file, "not UTF-8 text", line=line) from None
    except OSError as error:
        raise InputError.at(file, error.strerror or str(error)) from None


def _word(value: Any) -> str:
    """A scalar as text; empty for a list, a mapping or nothing."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


@lru_cache(maxsize=64)
def _fields(node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """A mapping's key and value nodes by the key's text; looked up for each finding about one of 10,000 services."""
    return {key.value: (key, value) for key, value in reversed(node.value) if isinstance(key, yaml.ScalarNode)}


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key node and the value node of one field."""
    if isinstance(node, yaml.MappingNode):
        return _fields(node).get(str(part))
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        return node.value[part], node.value[part]
    return None
