"""Changes a YAML document with ruamel.yaml, and keeps its quotes, braces, aliases and spellings.

Comments are left out. ruamel.yaml attaches them to the field before them, so they would move and vanish with it.
`meshconfig.edit.layout` restores them.
"""

import json
import sys
from io import StringIO
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, PlainScalarString, SingleQuotedScalarString
from ruamel.yaml.scanner import Scanner

_MERGE = "<<"
_PYYAML = yaml.resolver.Resolver()


def changed(text: str, old: Any, new: Any) -> str:
    """The text of a document with the value `new`. `old` is its current value, as read by `meshconfig.load`.

    Raises:
        YAMLError: ruamel.yaml cannot read the document.
    """
    ruamel = YAML()
    ruamel.Resolver, ruamel.Scanner = _Resolver, Scanner  # the plain scanner, which skips comments
    ruamel.preserve_quotes = ruamel.brace_single_entry_mapping_in_flow_sequence = True
    ruamel.width = sys.maxsize
    ruamel.indent(mapping=2, sequence=4, offset=2)
    document = [ruamel.load(text)]
    _Change(braces="{" in text).value(document, 0, old, new)
    out = StringIO()
    ruamel.dump(document[0], out)
    return out.getvalue()


class _Resolver(VersionedResolver):
    """Reads each scalar as text, so that it is written as it was spelled; an empty one is null."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return super().resolve(kind, value, (False, False) if value else implicit)


class _Change:
    """Changes loaded parts of a document. `braces`: write new mappings in braces, if no neighbour shows a style."""

    def __init__(self, *, braces: bool) -> None:
        self.braces = braces

    def value(self, holder: Any, key: Any, old: Any, new: Any) -> None:
        node = holder[key]
        if old == new and type(old) is type(new):
            return
        anchored = isinstance(node, CommentedMap | CommentedSeq) and node.anchor.value is not None
        if node and not anchored and isinstance(node, CommentedMap) and isinstance(new, dict):
            self._fields(node, old, new)
        elif not anchored and isinstance(node, CommentedSeq) and isinstance(new, list) and len(node) == len(new):
            for index, value in enumerate(new):
                self.value(node, index, old[index], value)
        else:  # an anchored value is replaced, not changed, because its aliases share it
            if anchored:
                node.anchor.always_dump = True
            holder[key] = self._made(new, node)

    def _fields(self, node: CommentedMap, old: dict[str, Any], new: dict[str, Any]) -> None:
        before: str | None = None
        for name, value in new.items():
            if name in node:
                self.value(node, name, old[name], value)
            elif name not in old or old[name] != value:  # a new field, or one that came from a merge key
                like = node[before] if before is not None else next(iter(node.values()))
                place = list(node).index(before) + 1 if before is not None else 0
                node.insert(place, scalar(name), self._made(value, like))
            else:
                continue
            before = name
        for name in [name for name in node if name not in new and name != _MERGE]:
            del node[name]

    def _made(self, value: Any, like: Any) -> Any:
        """A new part in the style of a neighbour: in braces or on lines, and with the same quotes."""
        if isinstance(value, list):
            like = like if isinstance(like, CommentedSeq) else None
            items = CommentedSeq(self._made(item, like[0] if like else None) for item in value)
            if like is None or like.fa.flow_style() is not False:
                items.fa.set_flow_style()
            return items
        if not isinstance(value, dict):
            return scalar(value, like)
        if not isinstance(like, CommentedMap) or not like or (_is_leaf(value) and not _is_leaf(like)):
            like = CommentedMap()
            like.fa.set_flow_style() if self.braces else like.fa.set_block_style()
        made = CommentedMap()
        for name, part in value.items():
            made[scalar(name)] = self._made(part, like.get(name, next(iter(like.values()), None)))
        if like.fa.flow_style():
            made.fa.set_flow_style()
        return made


def _is_leaf(value: dict[str, Any]) -> bool:
    return not any(isinstance(part, dict | list) for part in value.values())


def scalar(value: Any, like: Any = None) -> Any:
    """A value as ruamel.yaml writes it, so that every YAML version reads it as it is.

    Parameters:
        like: the scalar whose quotes it takes.
    """
    if not isinstance(value, str):
        return PlainScalarString(json.dumps(value))
    if isinstance(like, SingleQuotedScalarString) and value.isprintable():
        return SingleQuotedScalarString(value)
    if isinstance(like, DoubleQuotedScalarString) or not value.isprintable() or not _is_text(value):
        return DoubleQuotedScalarString(value)
    return PlainScalarString(value)  # a plain `str` would inherit the quotes of the replaced value


def _is_text(word: str) -> bool:
    """Whether every YAML version reads this as a string without quotes. ruamel.yaml quotes special characters."""
    tag = _PYYAML.resolve(yaml.ScalarNode, word, (True, False))  # type: ignore[no-untyped-call]  # so in the stubs
    return str(tag).endswith(":str") and word[:1].isalpha() and word.lower() not in ("y", "n")
