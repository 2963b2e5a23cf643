"""YAML text to nodes that know their lines, and nodes to values, as kubectl reads them.

PyYAML's C composer returns nodes with their positions. This module builds the values from them, for two reasons. The
stock constructor silently takes the last of two equal keys. And a position is looked up only after an error.
"""

import re
from functools import lru_cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from meshconfig.errors import InputError, dotted

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]  # same interface, no common base

FieldPath = tuple[str | int, ...]

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


# A colon of a plain scalar, such as the last one in `[10.0.0.1, 2001:db8::]`. libyaml alone refuses it before a bracket
# or a comma; go-yaml, with which kubectl reads, takes it for a part of the scalar.
_COLON = re.compile(r"(?<=[^\s\"'\[\]{},]):(?=[,?\[\]{}])")
_REFUSED = "found unexpected ':'"


def compose(text: str) -> list[yaml.Node]:
    """The root nodes of a text's documents, without empty ones.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    try:
        return _roots(text)
    except yaml.MarkedYAMLError as error:
        if error.problem != _REFUSED:
            raise
    hidden, stand_in = hide_colons(text)
    roots = _roots(hidden)
    seen: set[int] = set()
    for root in roots:
        _restore(root, stand_in, seen)
    return roots


def hide_colons(text: str) -> tuple[str, str]:
    """The text with another character for each colon that libyaml may refuse, at its place; and that character."""
    stand_in = next(char for char in map(chr, range(0xE000, 0xF8FF)) if char not in text)  # for private use
    return _COLON.sub(stand_in, text), stand_in


def _roots(text: str) -> list[yaml.Node]:
    return [node for node in yaml.compose_all(text, Loader=Loader) if node is not None]


def _restore(node: yaml.Node, stand_in: str, seen: set[int]) -> None:
    if isinstance(node, yaml.ScalarNode):
        node.value = node.value.replace(stand_in, ":")
    elif id(node) not in seen:
        seen.add(id(node))
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                _restore(each, stand_in, seen)


class Builder:
    """Builds the value of one document. An alias gets the same object as its anchor, not a copy.

    Parameters:
        strict: a key that is no string is an error. Otherwise it becomes one, as in kubectl: 9000 becomes "9000".
    """

    def __init__(self, file: str, *, strict: bool = True) -> None:
        self.file = file
        self.strict = strict
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
            name = self.key(key, path)
            if name in value:
                raise self.error(key, (*path, name), "this key is given twice")
            value[name] = self.value(child, (*path, name))
        for other in merged:
            base = self.value(other, path)
            if not isinstance(base, dict):
                raise self.error(other, path, "`<<` takes a mapping")
            value = {**base, **value}
        return value

    def key(self, node: yaml.Node, path: FieldPath) -> str:
        if isinstance(node, yaml.ScalarNode):
            if node.tag == _TAG + "str" or (not self.strict and node.tag in _TEXTS):
                return str(node.value)
            if not self.strict and node.tag in _NUMBERS:
                return _as_key(self.scalar(node, path))
        raise self.error(node, path, f"the key {_shown(node)} is not a string; quote it")

    def error(self, node: yaml.Node, path: FieldPath, message: str) -> InputError:
        return InputError.at(self.file, message, line=node.start_mark.line + 1, path=dotted(path))


_TEXTS = {_TAG + name for name in ("timestamp", "value")}
_NUMBERS = {_TAG + name for name in ("int", "float", "bool")}


def _as_key(value: float) -> str:
    """A number or truth value as sigs.k8s.io/yaml writes it where it is a key."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _shown(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "of this mapping"
