"""Writes the document of an imported or a first spec as YAML, with a comment where a choice was made."""

import re
import sys
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import PlainScalarString

from meshconfig.edit.roundtrip import scalar
from meshconfig.load import FieldPath

WIDTH = 110  # characters of a mapping or list that is written in braces
_PATH = re.compile(r"/[A-Za-z0-9/_.-]*")
Comments = Mapping[FieldPath, Iterable[str]]
_ON_LINES = (("spec", "services"), ("spec", "entries"), ("spec", "workloads"))


def text(value: Mapping[str, Any], heading: Iterable[str], comments: Comments) -> str:
    """A document as the examples are written: small mappings in braces, everything else on lines of its own.

    Parameters:
        heading: lines of a comment before the document.
        comments: lines of a comment before a field, by the field's path.
    """
    node = _node(value, (), comments)
    yaml = YAML()
    yaml.width = sys.maxsize
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(node, out)
    return "".join(f"# {line}".rstrip() + "\n" for line in heading) + out.getvalue()


def _node(value: Any, path: FieldPath, comments: Comments) -> Any:
    if isinstance(value, Mapping):
        made = CommentedMap((_scalar(name), _node(part, (*path, name), comments)) for name, part in value.items())
        for name in value:
            lines = list(comments.get((*path, name), ()))
            if lines:
                made.yaml_set_comment_before_after_key(name, "\n".join(lines), indent=2 * _depth(path))
        return _styled(made, value, path, comments)
    if isinstance(value, list | tuple):
        items = CommentedSeq(_node(part, (*path, number), comments) for number, part in enumerate(value))
        return _styled(items, value, path, comments)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """A string without quotes where every YAML version reads it as such; numbers and booleans as they are."""
    if not isinstance(value, str):
        return value
    return PlainScalarString(value) if _PATH.fullmatch(value) else scalar(value)


def _depth(path: FieldPath) -> int:
    return sum(2 if isinstance(part, int) else 1 for part in path)


def _styled(node: Any, value: Any, path: FieldPath, comments: Comments) -> Any:
    small = path and path != ("spec",) and len(repr(value)) + 2 * len(path) < WIDTH
    commented = any(place[: len(path)] == path and len(place) > len(path) for place in comments)
    on_lines = path in _ON_LINES or path[:-1] in _ON_LINES
    node.fa.set_flow_style() if (small and not commented and not on_lines) or not value else node.fa.set_block_style()
    return node
