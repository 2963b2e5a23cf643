"""A YAML text as a tree of its parts, each with where it begins and ends, so that an edit can touch that part alone.

PyYAML's composer follows aliases and ends a block mapping after the comments behind it; built from events, an alias
stays one, and a part ends with its last character.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from meshconfig.load import Loader

MERGE = "<<"


@dataclass(eq=False, slots=True)
class Node:
    """One part of a text: `text[start:end]`, without what comes behind it on its line.

    Parameters:
        kind: `map`, `seq`, `scalar` or `alias`.
        column: of its first character, from 0.
        flow: in braces or brackets, or inside of some.
        name: a scalar's value; the anchor that an alias stands for.
        anchor: its own, or empty.
        pairs: of a mapping, as they stand, `<<` included; `items` of a sequence.
    """

    kind: str
    start: int
    end: int
    column: int
    flow: bool
    name: str = ""
    anchor: str = ""
    literal: bool = False
    pairs: list[tuple["Node", "Node"]] = field(default_factory=list)
    items: list["Node"] = field(default_factory=list)

    def own(self) -> dict[str, tuple["Node", "Node"]]:
        """The key and the value of each field that stands here and not in what is merged."""
        return {key.name: (key, value) for key, value in self.pairs if key.name != MERGE}

    def walk(self) -> Iterator["Node"]:
        yield self
        for key, value in self.pairs:
            yield from key.walk()
            yield from value.walk()
        for item in self.items:
            yield from item.walk()


@dataclass(frozen=True, slots=True)
class Tree:
    """The documents of a text, and the places of the commas in its braces and brackets."""

    text: str
    roots: tuple[Node, ...]
    commas: tuple[int, ...]

    def comma(self, start: int, end: int) -> int | None:
        """The first comma between two places."""
        number = bisect_left(self.commas, start)
        return self.commas[number] if number < len(self.commas) and self.commas[number] < end else None

    def line_start(self, place: int) -> int:
        return self.text.rfind("\n", 0, place) + 1

    def line_end(self, place: int) -> int:
        """Where the line's content ends, before its `\\n` or `\\r\\n`."""
        end = self.text.find("\n", place)
        if end < 0:
            return len(self.text)
        return end - 1 if end > place and self.text[end - 1] == "\r" else end

    def next_line(self, place: int) -> int:
        return self.text.find("\n", place) + 1 or len(self.text)

    def begins_line(self, place: int) -> bool:
        return not self.text[self.line_start(place) : place].strip()

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"


def tree(text: str) -> Tree:
    """The tree of a text that `meshconfig.load.parse` takes; without a byte order mark."""
    events = yaml.parse(text, Loader=Loader)
    roots = tuple(_node(event, events, False) for event in events if _is_node(event))
    tokens = yaml.scan(text, Loader=Loader)
    commas = tuple(token.start_mark.index for token in tokens if isinstance(token, yaml.FlowEntryToken))
    return Tree(text, roots, commas)


def _is_node(event: Any) -> bool:
    return isinstance(event, AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent)


def _node(event: Any, events: Iterator[Any], flow: bool) -> Node:
    start, anchor = event.start_mark, str(event.anchor or "")
    node = Node("", start.index, event.end_mark.index, start.column, flow)
    if isinstance(event, AliasEvent):
        node.kind, node.name = "alias", anchor
        return node
    node.anchor = anchor
    if isinstance(event, ScalarEvent):
        node.kind, node.name, node.literal = "scalar", event.value, event.style in ("|", ">")
        return node
    node.flow = flow or bool(event.flow_style)
    node.kind = "map" if isinstance(event, MappingStartEvent) else "seq"
    _fill(node, events)
    return node


def _fill(node: Node, events: Iterator[Any]) -> None:
    children: list[Node] = []
    for event in events:
        if not _is_node(event):
            last = children[-1].end if children else node.end
            node.end = event.end_mark.index if node.flow else last
            break
        children.append(_node(event, events, node.flow))
    if node.kind == "map":
        node.pairs = list(zip(children[::2], children[1::2], strict=True))
    else:
        node.items = children
