"""Pairs that come and go in a mapping's text, each as a splice: a piece of the text and what takes its place."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from meshconfig.edit.tree import Node, Tree

Pair = tuple[Node, Node]


class Splice(NamedTuple):
    start: int
    end: int
    text: str


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with all of them done: what is put in at a place comes before what is cut out there.

    Raises:
        ValueError: something is to be put into what is cut out; two cuts may overlap.
    """
    parts: list[str] = []
    done = 0
    for one in sorted(splices, key=lambda one: (one.start, bool(one.end > one.start and not one.text))):
        if one.start < done and one.text:
            raise ValueError("two edits meet")
        parts += [text[done : max(done, one.start)], one.text]
        done = max(done, one.end)
    return "".join([*parts, text[done:]])


def after(tree: Tree, node: Node) -> int:
    """The begin of the line after a part of a block; the text's end where there is none."""
    if node.literal and tree.text[node.end - 1 : node.end] == "\n":
        return node.end
    return tree.next_line(node.end)


def removed_lines(tree: Tree, pairs: Sequence[Pair]) -> Iterator[Splice]:
    """Pairs of a block: their lines, with the comments on these; those on lines of their own stay."""
    for key, value in pairs:
        last = value if value.end > key.end else key
        if tree.begins_line(key.start):
            yield Splice(tree.line_start(key.start), after(tree, last), "")
        else:  # the first of a list's item, which leaves the dash
            yield Splice(len(tree.text[: key.start].rstrip()), tree.line_end(last.end), "")


def replaced_block(tree: Tree, node: Node, key: Node | None, text: str) -> Iterator[Splice]:
    """All lines of a block, by what fits on the line of its key."""
    if key is None or not tree.begins_line(node.start):
        yield Splice(node.start, node.end, text)
        return
    colon = tree.text.index(":", key.end) + 1
    yield Splice(colon, colon, f" {text}")
    yield Splice(tree.line_start(node.start), after(tree, node), "")


def inserted_lines(tree: Tree, node: Node, before: Pair | None, texts: Sequence[str]) -> Splice:
    """Pairs of a block, after the pair `before`, or as the first ones."""
    first = node.pairs[0][0]
    indent = " " * first.column
    if before is None:
        return Splice(first.start, first.start, "".join(text + tree.newline + indent for text in texts))
    key, value = before
    place = after(tree, value if value.end > key.end else key)
    if place and tree.text[place - 1] != "\n":  # the text ends without a line end
        return Splice(place, place, "".join(tree.newline + indent + text for text in texts))
    return Splice(place, place, "".join(indent + text + tree.newline for text in texts))


def removed_in_braces(tree: Tree, node: Node, gone: frozenset[str]) -> Iterator[Splice]:
    """Some of the pairs in braces, not all: with the lines that they have to themselves."""
    runs = [(out, list(run)) for out, run in groupby(node.pairs, key=lambda pair: pair[0].name in gone)]
    for number, (out, run) in enumerate(runs):
        if not out:
            continue
        if number + 1 < len(runs):
            yield from _up_to(tree, run, runs[number + 1][1][0][0].start)
        else:
            yield from _tail(tree, node, runs[number - 1][1][-1][1].end, run)


def _up_to(tree: Tree, run: Sequence[Pair], following: int) -> Iterator[Splice]:
    """Pairs before one that stays."""
    start = run[0][0].start
    comma = tree.comma(run[-1][1].end, following)
    end = run[-1][1].end if comma is None else comma + 1
    if following < tree.next_line(end):
        yield Splice(start, following, "")
    elif tree.begins_line(start):
        yield Splice(tree.line_start(start), tree.next_line(end), "")
    else:
        yield Splice(len(tree.text[:start].rstrip()), end, "")


def _tail(tree: Tree, node: Node, kept: int, run: Sequence[Pair]) -> Iterator[Splice]:
    """The last pairs, and the comma before them."""
    start, end = run[0][0].start, run[-1][1].end
    trailing = tree.comma(end, node.end)
    if tree.begins_line(start) and tree.next_line(end) < node.end:
        comma = tree.comma(kept, start)
        if trailing is None and comma is not None:
            yield Splice(comma, comma + 1, "")
        yield Splice(tree.line_start(start), tree.next_line(end if trailing is None else trailing), "")
    else:
        yield Splice(kept, end, "")


def inserted_in_braces(tree: Tree, node: Node, before: Pair | None, texts: Sequence[str]) -> Splice:
    """Pairs in braces that have some, after the pair `before`, or as the first; on lines of their own as others are."""
    key, value = before or node.pairs[0]
    end = max(key.end, value.end)
    line = f",{tree.newline}{' ' * key.column}"
    if before is None:
        between = line if tree.begins_line(key.start) else ", "
        return Splice(key.start, key.start, "".join(text + between for text in texts))
    behind = _behind(node, before)
    if not tree.begins_line(key.start) or tree.line_start(behind) <= end:
        return Splice(end, end, "".join(f", {text}" for text in texts))
    comma = tree.comma(end, behind)
    place = tree.line_end(end if comma is None else comma)
    rest = tree.text[end:place].rstrip()  # what stands behind it stays on its line
    if comma is None:
        return Splice(end, place, f",{rest}{line[1:]}" + line.join(texts))
    return Splice(place, place, line[1:] + line.join(texts) + ",")


def _behind(node: Node, pair: Pair) -> int:
    """Where the next pair begins, or what closes the braces."""
    number = next(index for index, one in enumerate(node.pairs) if one[0] is pair[0])
    return node.pairs[number + 1][0].start if number + 1 < len(node.pairs) else node.end - 1
