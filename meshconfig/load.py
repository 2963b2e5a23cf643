"""Reads YAML files into documents and finds the line of any field.

PyYAML's C composer returns nodes with their positions. This module builds the values from them, for two reasons. The
stock constructor silently takes the last of two equal keys. And a position is looked up only after an error.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from meshconfig.errors import InputError, Location, Problem, dotted

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]  # same interface, no common base

FieldPath = tuple[str | int, ...]
SUFFIXES = (".yaml", ".yml", ".json")

_TAG = "tag:yaml.org,2002:"
_SCALARS = SafeConstructor()
_RESOLVER = Resolver()


@lru_cache(maxsize=65536)
def _scalar_tag(value: str, implicit: tuple[bool, bool]) -> str:
    return str(_RESOLVER.resolve(yaml.ScalarNode, value, implicit))  # type: ignore[no-untyped-call]  # so in the stubs


class Loader(SafeLoader):
    """A loader that caches the type of each scalar text, because a large spec repeats the same words very often."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _scalar_tag(value, implicit)
        return _TAG + ("map" if kind is yaml.MappingNode else "seq")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value as plain dicts, lists and scalars, and the position of each field."""

    file: str
    value: Any
    root: yaml.Node = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """The document's `kind`; empty if it has none."""
        return str(self.value.get("kind", "")) if isinstance(self.value, dict) else ""

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
            *.json are read, but no directories below. A file that is named twice, or also by a link, is read once.

    Raises:
        InputError: a file cannot be read or is not YAML; the message has the line where reading stopped.
    """
    seen: set[Path] = set()
    files = [file for name in sources for file in _files(name) if file == "-" or _first_time(file, seen)]
    return [document for file in files for document in parse(_read(file), file)]


def parse(text: str, file: str) -> list[Document]:
    """The documents of one YAML text, without empty ones.

    Parameters:
        file: the name of the file, for errors.

    Raises:
        InputError: the text is not YAML, a key is repeated or is not a string, or an alias contains itself.
    """
    try:
        roots = [node for node in yaml.compose_all(text, Loader=Loader) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError.at(file, f"not YAML: {what}", line=mark.line + 1 if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise InputError.at(file, f"not YAML: a control character, #x{error.character:04x}", line=line) from None
    except yaml.YAMLError as error:
        raise InputError.at(file, f"not YAML: {_one_line(error)}") from None
    return [Document(file, value, root) for root in roots if (value := _built(root, file)) is not None]


def _built(root: yaml.Node, file: str) -> Any:
    try:
        return _Builder(file).value(root, ())
    except RecursionError:
        raise InputError.at(file, "nested too deeply", line=root.start_mark.line + 1) from None


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
        raise InputError.at(name, "no *.yaml file in this directory")
    yield from files


def _read(file: str) -> str:
    try:
        # Read bytes, because the encoding of sys.stdin depends on the locale.
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode()
    except FileNotFoundError:
        raise InputError.at(file, "no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError.at(file, "not UTF-8 text", line=line) from None
    except OSError as error:
        raise InputError.at(file, error.strerror or str(error)) from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key node and the value node of one field."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        return node.value[part], node.value[part]
    return None


class _Builder:
    """Builds the value of one document. An alias gets the same object as its anchor, not a copy."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            raise self.error(node, path, "an alias that contains itself")
        if node.tag not in (_TAG + "map", _TAG + "seq"):
            raise self.error(node, path, f"a tag that is not plain YAML: {node.tag}")
        self.open.add(id(node))
        value = self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.sequence(node, path)
        self.open.discard(id(node))
        self.done[id(node)] = value
        return value

    def scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        tag = node.tag.removeprefix(_TAG)
        if tag in ("str", "timestamp", "value"):  # Kubernetes reads a date and a plain `=` as strings
            return node.value
        build = getattr(_SCALARS, f"construct_yaml_{tag}", None) if tag in ("int", "float", "bool", "null") else None
        if build is None:
            raise self.error(node, path, f"a tag that is not plain YAML: {node.tag}")
        try:
            return build(node)
        except (ValueError, LookupError):  # such as `!!int foo`, or a number with more digits than Python converts
            raise self.error(node, path, f"{node.value[:40]!r} is no {tag}") from None

    def sequence(self, node: yaml.Node, path: FieldPath) -> list[Any]:
        return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]

    def mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, child in node.value:
            if key.tag == _TAG + "merge":
                merged += child.value if isinstance(child, yaml.SequenceNode) else [child]
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TAG + "str":
                raise self.error(key, path, f"the key {_shown(key)} is not a string; quote it")
            if key.value in value:
                raise self.error(key, (*path, key.value), "this key is given twice")
            value[key.value] = self.value(child, (*path, key.value))
        for other in merged:
            base = self.value(other, path)
            if not isinstance(base, dict):
                raise self.error(other, path, "`<<` takes a mapping")
            value = {**base, **value}
        return value

    def error(self, node: yaml.Node, path: FieldPath, message: str) -> InputError:
        return InputError.at(self.file, message, line=node.start_mark.line + 1, path=dotted(path))


def _shown(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "of this mapping"
