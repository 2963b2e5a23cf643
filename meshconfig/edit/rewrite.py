"""A text whose documents get other values: only what differs is written anew.

Comments, order, quotes, braces, indentation and line ends of all the rest stay as they are, byte by byte. A comment on
a line that goes, goes with it; one on a line of its own stays. (ruamel.yaml's round trip of a file that nobody changed
is not byte-identical for most specs: it has its own spaces in braces and before comments. Hence this.)
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshconfig.edit.splice import (
    Pair,
    Splice,
    inserted_in_braces,
    inserted_lines,
    removed_in_braces,
    removed_lines,
    replaced_block,
    spliced,
)
from meshconfig.edit.tree import Node, Tree, tree
from meshconfig.edit.write import Style, inline, pair
from meshconfig.errors import InputError, dotted
from meshconfig.load import Document, FieldPath, parse

MARK = "\ufeff"  # a byte order mark is no part of the YAML


def documents(text: str, file: str) -> list[Document]:
    """As `meshconfig.load.parse`, with places as `rewrite` counts them."""
    return parse(text.removeprefix(MARK), file)


def rewrite(text: str, file: str, wanted: Sequence[Any]) -> str:
    """The text with other values in its documents.

    Parameters:
        wanted: for each of `documents(text, file)`, the value that it shall have.

    Raises:
        InputError: something that differs stands for more than one field (an anchor that others use, a merge); the
            text would not read back as what is wanted.
    """
    mark = MARK if text.startswith(MARK) else ""
    bare = text.removeprefix(MARK)
    before = documents(bare, file)
    both = [_both(document.value, value) for document, value in zip(before, wanted, strict=True)]
    # What comes is put beside what goes, so that it can be written alike.
    grown = _pass(bare, file, both)
    _check(before, grown, file, both)
    changed = _pass(grown, file, wanted)
    _check(before, changed, file, wanted)
    return mark + changed


def _both(old: Any, new: Any) -> Any:
    """The new value, with the fields that it no longer has still in their places."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = list(old)
        previous: str | None = None
        for name in new:
            if name not in old:
                place = names.index(previous) + 1 if previous is not None else 0
                while place < len(names) and names[place] not in new:  # in the place of what goes
                    place += 1
                names.insert(place, name)
            previous = name
        return {name: _both(old.get(name), new[name]) if name in new else old[name] for name in names}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_both(one, other) for one, other in zip(old, new, strict=True)]
    return new


def _pass(text: str, file: str, wanted: Sequence[Any]) -> str:
    whole = tree(text)
    roots = {root.start: root for root in whole.roots}
    splices: list[Splice] = []
    for document, value in zip(documents(text, file), wanted, strict=True):
        if document.value != value:
            root = roots[document.root.start_mark.index]
            splices += _Rewriter(whole, root, file).changed(root, document.value, value)
    return _spliced(text, splices, file)


def _spliced(text: str, splices: Sequence[Splice], file: str) -> str:
    try:
        return spliced(text, splices)
    except ValueError:
        raise InputError.at(file, "cannot be edited: two changes meet in one place; edit it by hand") from None


def _check(before: Sequence[Document], text: str, file: str, wanted: Sequence[Any]) -> None:
    """Does it read back as what is wanted? Whatever YAML has in store, nothing else is ever written."""
    try:
        after = [document.value for document in parse(text, file)]
    except InputError as error:
        raise InputError.at(file, f"cannot be edited, edit it by hand: it would not be read ({error})") from None
    for number, document in enumerate(before):
        if len(after) != len(before) or after[number] != wanted[number]:
            line = document.root.start_mark.line + 1
            raise InputError.at(file, "cannot be edited, edit it by hand: the change would say more", line=line)


class _Rewriter:
    """The splices of one document."""

    def __init__(self, whole: Tree, root: Node, file: str) -> None:
        self.tree, self.file = whole, file
        parts = list(root.walk())
        self.shared = {part.name for part in parts if part.kind == "alias"}
        is_json = root.flow and whole.text[root.start : root.end].lstrip().startswith('{"')
        braces = any(part.kind == "map" and part.flow for part in parts)
        self.style = Style(whole.text, whole.newline, is_json or self._quoted(root), braces)

    def _quoted(self, root: Node) -> bool:
        """JSON, with any space: braces all over, and each key in double quotes."""
        keys = [key for part in root.walk() for key, _ in part.pairs]
        return root.flow and bool(keys) and all(self.tree.text[key.start] == '"' for key in keys)

    def changed(
        self, node: Node, old: Any, new: Any, key: Node | None = None, path: FieldPath = ()
    ) -> Iterator[Splice]:
        """What makes the text of `node`, which says `old`, say `new`; `key` is the key before it."""
        if old == new and type(old) is type(new):
            return
        if node.anchor in self.shared and node.anchor:
            line = self.tree.text.count("\n", 0, node.start) + 1
            message = f"other fields say the same by its anchor &{node.anchor}: write them out first"
            raise InputError.at(self.file, message, line=line, path=dotted(path))
        if node.kind == "map" and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._mapping(node, old, new, key, path)
        elif node.kind == "seq" and isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for number, item in enumerate(node.items):
                yield from self.changed(item, old[number], new[number], None, (*path, number))
        else:
            yield from self._replaced(node, new, key)

    def _replaced(self, node: Node, new: Any, key: Node | None) -> Iterator[Splice]:
        text = self._anchored(node) + inline(new, self.style, node)
        if node.flow or node.kind in ("scalar", "alias"):
            space = " " if self.tree.text[node.start - 1 : node.start] == ":" else ""
            end = len(self.tree.text[: node.end].rstrip("\r\n")) if node.literal else node.end
            yield Splice(node.start, end, space + text)
        else:
            yield from replaced_block(self.tree, node, key, text)

    def _mapping(
        self, node: Node, old: Mapping[str, Any], new: Mapping[str, Any], key: Node | None, path: FieldPath
    ) -> Iterator[Splice]:
        own = node.own()
        gone = frozenset(name for name in own if name not in new)
        if not node.pairs or len(gone) == len(node.pairs):
            yield from self._replaced(node, new, key)
            return
        previous: Pair | None = None
        coming: dict[str, Any] = {}
        for name, value in new.items():
            if name in own:
                yield from self._inserted(node, previous, coming)
                previous, coming = own[name], {}
                yield from self.changed(previous[1], old[name], value, previous[0], (*path, name))
            elif name not in old or old[name] != value:  # new, or merged till now
                coming[name] = value
        yield from self._inserted(node, previous, coming)
        if gone and node.flow:
            yield from removed_in_braces(self.tree, node, gone)
        elif gone:
            yield from removed_lines(self.tree, [own[name] for name in own if name in gone])

    def _inserted(self, node: Node, before: Pair | None, coming: Mapping[str, Any]) -> Iterator[Splice]:
        if not coming:
            return
        neighbours = [one for _, one in ([before] if before else node.pairs) if one.kind != "alias"]
        like = neighbours[0] if neighbours else None
        column = node.pairs[0][0].column
        texts = [pair(name, value, column, self.style, like, flow=node.flow) for name, value in coming.items()]
        put = inserted_in_braces if node.flow else inserted_lines
        yield put(self.tree, node, before, texts)

    def _anchored(self, node: Node) -> str:
        return f"&{node.anchor} " if node.anchor else ""
