"""New parts of a text, written as their neighbours are: in braces or in lines, with the same quotes and indentation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.edit.tree import Node
from meshconfig.render import to_yaml

STEP = 2  # spaces that a level is indented by where no neighbour tells


@dataclass(frozen=True, slots=True)
class Style:
    """How a document is written. `json`: by JSON's rules. `flow`: mappings without a model go in braces."""

    text: str
    newline: str
    json: bool
    flow: bool


def pair(key: str, value: Any, column: int, style: Style, like: Node | None, *, flow: bool) -> str:
    """`key: value`, without a line end; lines after the first are indented to `column` or more.

    Parameters:
        like: a value that stands where this one could.
        flow: it goes into braces.
    """
    name = _json(key) if style.json else string(key)
    return f"{name}:{_behind(value, column, style, like, flow)}"


def inline(value: Any, style: Style, like: Node | None = None) -> str:
    """On one line, as it may stand in braces."""
    if isinstance(value, Mapping):
        pairs = (pair(key, one, 0, style, _part(like, key), flow=True) for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(inline(one, style) for one in value)}]"
    if isinstance(value, str):
        return _json(value) if style.json else string(value, _quote(like, style.text))
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # YAML does not know JSON's surrogate pairs


def string(text: str, quote: str = "") -> str:
    """A string as YAML; `quote` is the one to use where it can be chosen."""
    # What needs quotes is told in one place, which takes a whole resource.
    plain = to_yaml([{"k": text}]).removeprefix("---\nk: ").removesuffix("\n")
    if quote == '"' and plain == text:
        return f'"{text}"'
    return f"'{text}'" if quote == "'" and text.isprintable() and "'" not in text else plain


def _behind(value: Any, column: int, style: Style, like: Node | None, flow: bool) -> str:
    """What follows `key:`."""
    if isinstance(value, Mapping) and _is_leaf(value) and like and not _is_leaf_node(like):
        like = None
    if not isinstance(value, Mapping) or not value or flow or _in_braces(like, style):
        return " " + inline(value, style, like)
    inner = column + STEP
    if like and like.kind == "map" and like.column > column:
        inner = like.column
    start = style.newline + " " * inner
    return "".join(start + pair(key, one, inner, style, _part(like, key), flow=False) for key, one in value.items())


def _is_leaf(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(one, Mapping | list) for one in value.values())


def _is_leaf_node(node: Node) -> bool:
    return node.kind == "map" and all(value.kind == "scalar" for _, value in node.pairs)


def _in_braces(like: Node | None, style: Style) -> bool:
    return like.flow if like and like.kind == "map" else style.flow


def _part(like: Node | None, key: str) -> Node | None:
    """The model of a field: the same one of the neighbour, else its first."""
    if like is None or like.kind != "map":
        return None
    own = like.own()
    return own[key][1] if key in own else next((value for _, value in own.values()), None)


def _quote(like: Node | None, text: str) -> str:
    return text[like.start] if like and like.kind == "scalar" and text[like.start : like.start + 1] in "'\"" else ""
