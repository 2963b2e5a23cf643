"""YAML text to nodes that know their lines, and nodes to values, as kubectl reads them.

PyYAML's C composer returns nodes with their positions. This module builds the values from them, for two reasons. The
stock constructor silently takes the last of two equal keys. And a position is looked up only after an error.

Depth and number of values are counted while the nodes are composed, in the two methods that the composer calls for each
node anyway (for PyYAML's path resolvers, which nobody uses): that takes no second pass, and stops before the memory is
taken. What aliases expand to is computed afterwards, from the nodes, and only for a text that has anchors.
"""

import math
import re
from functools import lru_cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from meshconfig.bounded import DEPTH, FILE_BYTES, FILE_DOCUMENTS, FILE_VALUES, Room, TooMuchError, decode
from meshconfig.errors import InputError, dotted

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]  # same interface, no common base

FieldPath = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_STRING, _MAPPING, _SEQUENCE, _MERGE = (_TAG + name for name in ("str", "map", "seq", "merge"))
_NUMBERS = {_TAG + name for name in ("int", "float")}
_SCALARS = SafeConstructor()
# Whole numbers that YAML 1.1 and 1.2 read alike. To one of them 010 is 8 and 1_000 or 0b1 a text.
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)")
_INTEGERS = range(-(2**63), 2**64)  # kubectl's; JSON readers lose digits of longer ones
_DIGITS = 70  # the most characters of a number; 64 digits of base 2 and what stands around them
_RESOLVER = Resolver()


@lru_cache(maxsize=65536)
def _tag(kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
    """The tag of a node that names none. A large spec repeats the same words very often.

    Parameters:
        value: a scalar's text; None for a mapping or a list.
        implicit: for a scalar, whether it is plain and whether it is quoted.
    """
    if value is None:
        return _MAPPING if kind is yaml.MappingNode else _SEQUENCE
    tag = str(_RESOLVER.resolve(yaml.ScalarNode, value, implicit))  # type: ignore[no-untyped-call]  # so in the stubs
    # A number of base 60 to YAML 1.1 alone: 150:1 would be 9001. kubectl and YAML 1.2 read a text.
    return _STRING if ":" in value and tag in _NUMBERS else tag


class Loader(SafeLoader):
    """A loader that counts the values and their depth, and reads numbers as kubectl does."""

    resolve = staticmethod(_tag)  # called for each node: a builtin, which binds no `self`

    def __init__(self, text: str, values: int = FILE_VALUES) -> None:
        super().__init__(text)
        self.left = values
        # Of builtins as far as possible: they are called for each node, and `ascend_resolver` even without arguments.
        around: list[object] = []
        enter = around.append

        def descend_resolver(parent: yaml.Node | None, index: Any) -> None:
            enter(None)
            self.left -= 1
            if self.left < 0 or len(around) > DEPTH + 1:  # a scalar in the deepest list is one more
                deep = f"nested too deeply: more than {DEPTH} lists and mappings in each other"
                many = f"more than {FILE_VALUES:,} values: read them in parts"
                raise TooMuchError(many if self.left < 0 else deep, _last_line(parent))

        vars(self).update(descend_resolver=descend_resolver, ascend_resolver=around.pop)


def _nodes(text: str, room: Room) -> list[yaml.Node]:
    """The root node of each document of a text that is not empty."""
    loader = Loader(text, room.values)
    roots: list[yaml.Node] = []
    try:
        while loader.check_node():
            if len(roots) >= room.documents:
                last = roots[-1].end_mark.line + 1 if roots else 0
                raise TooMuchError(f"more than {FILE_DOCUMENTS:,} documents: read them in parts", last)
            if (root := loader.get_node()) is not None:
                roots.append(root)
    finally:
        loader.dispose()
        vars(loader).pop("descend_resolver")  # it refers to the loader, and so would keep it
    room.values, room.documents = loader.left, room.documents - len(roots)
    return roots


# A colon of a plain scalar, such as the last one in `[10.0.0.1, 2001:db8::]`. libyaml alone refuses it before a bracket
# or a comma; go-yaml, with which kubectl reads, takes it for a part of the scalar.
_COLON = re.compile(r"(?<=[^\s\"'\[\]{},]):(?=[,?\[\]{}])")
_REFUSED = "found unexpected ':'"


# Begins with a literal, for which `re` looks as fast as `in` does.
_ANCHOR = re.compile(r"&(?<=[\s,\[{:-]&)[^\s,\[\]{}]")


def has_anchors(text: str) -> bool:
    """Whether a text may have anchors; what looks like one may also be a part of a string."""
    return _ANCHOR.search(text) is not None


def compose(text: str, room: Room) -> list[yaml.Node]:
    """The root nodes of a text's documents, without empty ones.

    Parameters:
        room: what the text may take; it gets less by what it took.

    Raises:
        TooMuchError: it takes more.
        yaml.YAMLError: the text is not YAML.
    """
    roots = _read(text, room)
    if has_anchors(text):
        for root in roots:
            room.values -= _expanded(root, room)
    return roots


def _read(text: str, room: Room) -> list[yaml.Node]:
    try:
        return _nodes(text, room)
    except yaml.MarkedYAMLError as error:
        if error.problem == _SURROGATE and (joined := _joined_surrogates(text)) != text:
            return _nodes(joined, room)
        if error.problem != _REFUSED:
            raise
    hidden, stand_in = hide_colons(text)
    roots = _nodes(hidden, room)
    seen: set[int] = set()
    for root in roots:
        _restore(root, stand_in, seen)
    return roots


def hide_colons(text: str) -> tuple[str, str]:
    """The text with another character for each colon that libyaml may refuse, at its place; and that character."""
    stand_in = next(char for char in map(chr, range(0xE000, 0xF8FF)) if char not in text)  # for private use
    return _COLON.sub(stand_in, text), stand_in


# JSON writes a character beyond U+FFFF as two escapes, which YAML does not have.
_SURROGATE = "found invalid Unicode character escape code"
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)


def _joined_surrogates(text: str) -> str:
    """A text that is JSON, with YAML's escape for each pair of JSON's. Any other text stays as it is."""
    try:
        decode(text.encode())
    except ValueError:
        return text

    def joined(found: re.Match[str]) -> str:
        if not found[1]:
            return found[0]
        character = bytes.fromhex(found[1] + found[2]).decode("utf-16-be")
        return f"\\U{ord(character):08x}"

    return _ESCAPE.sub(joined, text)


def _expanded(root: yaml.Node, room: Room) -> int:
    """How many values a document has with a copy of what each alias stands for.

    Raises:
        TooMuchError: more than there is room for, or more text or deeper than a file may have.
    """
    sizes: dict[int, tuple[int, int, int]] = {}  # of each list and mapping: its values, characters and depth

    def size(node: yaml.Node) -> tuple[int, int, int]:
        if isinstance(node, yaml.ScalarNode):
            return 1, len(node.value), 0
        if id(node) in sizes:
            return sizes[id(node)]
        sizes[id(node)] = 0, 0, 0  # for an alias that contains itself, which Builder reports
        pairs = isinstance(node, yaml.MappingNode)
        below = [size(one) for child in node.value for one in (child if pairs else (child,))]
        values, characters = 1 + sum(one[0] for one in below), sum(one[1] for one in below)
        depth = 1 + max((one[2] for one in below), default=0)
        if values > room.values or characters > FILE_BYTES or depth > DEPTH:
            raise TooMuchError(_why(values, characters, room), _line(node))
        sizes[id(node)] = values, characters, depth
        return sizes[id(node)]

    return size(root)[0]


def _why(values: int, characters: int, room: Room) -> str:
    if values > room.values:
        return f"its aliases stand for more than {FILE_VALUES:,} values: write less with them"
    if characters > FILE_BYTES:
        return f"its aliases stand for more than {FILE_BYTES >> 20} MiB of text: write less with them"
    return f"nested too deeply by aliases: more than {DEPTH} lists and mappings in each other"


def _line(node: yaml.Node | None) -> int:
    return node.start_mark.line + 1 if node is not None else 0


def _last_line(parent: yaml.Node | None) -> int:
    """The line of the last value that a list or mapping has so far; 0 if there is none."""
    if parent is None or not parent.value:
        return _line(parent)
    last = parent.value[-1]
    return int((last[-1] if isinstance(last, tuple) else last).end_mark.line) + 1


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
        aliases: the text may have aliases. Without them no node is met twice, and none needs to be remembered.
    """

    def __init__(self, file: str, *, strict: bool = True, aliases: bool = True) -> None:
        self.file = file
        self.strict = strict
        self.aliases = aliases
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _STRING else self.scalar(node, path)
        if node.tag not in (_MAPPING, _SEQUENCE):
            raise self.error(node, path, f"a tag that is not plain YAML: {node.tag}")
        return self.once(node, path) if self.aliases else self.collection(node, path)

    def collection(self, node: yaml.Node, path: FieldPath) -> dict[str, Any] | list[Any]:
        return self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.sequence(node, path)

    def once(self, node: yaml.Node, path: FieldPath) -> Any:
        """The value of a list or mapping that aliases may stand for too."""
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            raise self.error(node, path, "an alias that contains itself")
        self.open.add(id(node))
        value = self.done[id(node)] = self.collection(node, path)
        self.open.discard(id(node))
        return value

    def scalar(self, node: yaml.ScalarNode, path: FieldPath) -> Any:
        if node.tag == _STRING:
            return node.value
        tag = node.tag.removeprefix(_TAG)
        if tag in ("timestamp", "value"):  # Kubernetes reads a date and a plain `=` as strings
            return node.value
        build = getattr(_SCALARS, f"construct_yaml_{tag}", None) if tag in ("int", "float", "bool", "null") else None
        if build is None:
            raise self.error(node, path, f"a tag that is not plain YAML: {node.tag}")
        try:
            found = build(node) if tag in ("bool", "null") or len(node.value) <= _DIGITS else None
        except (ValueError, LookupError):  # such as `!!int foo`
            raise self.error(node, path, f"{node.value[:40]!r} is no {tag}") from None
        if tag in ("int", "float") and (wrong := self.odd_number(node.value, found)):
            raise self.error(node, path, wrong)
        return found

    def odd_number(self, text: str, number: float | None) -> str:
        """What keeps a number from being read alike by all who read the file; empty if nothing does."""
        if number is None or (isinstance(number, int) and number not in _INTEGERS):
            return f"{text[:40]}{'…' * (len(text) > 40)} is beyond a number of 64 bits"
        if not math.isfinite(number):
            return f"{text} is no number in JSON, which Kubernetes keeps"
        if self.strict and isinstance(number, int) and not _WHOLE.fullmatch(text):
            return f"{text} is {number} to some readers of YAML, and to others another number or a text: write {number}"
        return ""

    def sequence(self, node: yaml.Node, path: FieldPath) -> list[Any]:
        return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]

    def mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, child in node.value:
            if key.tag == _MERGE:
                merged += child.value if isinstance(child, yaml.SequenceNode) else [child]
                continue
            name = self.key(key, path)
            if name in value:
                raise self.error(key, (*path, name), "this key is given twice")
            value[name] = self.value(child, (*path, name))
        return self.merged(merged, path) | value if merged else value

    def merged(self, others: list[yaml.Node], path: FieldPath) -> dict[str, Any]:
        """The fields of merge keys: of two with the same field, the first counts."""
        value: dict[str, Any] = {}
        for other in reversed(others):
            base = self.value(other, path)
            if not isinstance(base, dict):
                raise self.error(other, path, "`<<` takes a mapping")
            value.update(base)
        return value

    def key(self, node: yaml.Node, path: FieldPath) -> str:
        if isinstance(node, yaml.ScalarNode):
            if node.tag == _STRING or (not self.strict and node.tag in _TEXTS):
                return str(node.value)
            if not self.strict and node.tag in _NO_TEXTS:
                return _as_key(self.scalar(node, path))
        raise self.error(node, path, f"the key {_shown(node)} is not a string; quote it")

    def error(self, node: yaml.Node, path: FieldPath, message: str) -> InputError:
        return InputError.at(self.file, message, line=node.start_mark.line + 1, path=dotted(path))


_TEXTS = {_TAG + name for name in ("timestamp", "value")}
_NO_TEXTS = {_TAG + name for name in ("int", "float", "bool")}


def _as_key(value: float) -> str:
    """A number or truth value as sigs.k8s.io/yaml writes it where it is a key."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _shown(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "of this mapping"
