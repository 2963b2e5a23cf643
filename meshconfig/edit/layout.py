"""Lays a YAML text out as another one: where both say the same, the other's lines, spaces and comments are kept.

Both texts are split into words: keys, values, and the signs between them, each with the path of its field. Two words
are the same if they say the same about the same field. Everything between words, comments included, is layout.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

import yaml

from meshconfig.load import FieldPath, Loader

_PARTS = (yaml.NodeEvent, yaml.CollectionEndEvent)
_PREFIX = (yaml.TagToken, yaml.KeyToken)  # a tag or `?` is part of the word after it
_BEGIN = (yaml.KeyToken, yaml.BlockEntryToken)
_OPEN = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_CLOSE = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def laid_out(text: str, model: str) -> str:
    """Write a YAML document with the layout of another document that says nearly the same.

    A comment at the end of a line is removed with that end of the line. A comment on its own line stays, unless it is
    inside a removed part. New lines are indented like their neighbours. The caller must check that the result still
    means what `text` means, because YAML has more forms than this module knows.
    """
    return _Merge(_words(model), _words(text)).text()


@dataclass(slots=True)
class _Word:
    """A word, and the layout around it.

    Parameters:
        key: the word and its field, by which it is found in the other text.
        begins: a key or dash, with which a field begins. `flow`: the word is inside braces or brackets.
        lead: the text before it, from the end of the previous line; before a closing bracket, the space.
        trail: the space up to the next word on the line. `comment`: everything after it, if it is the last word.
    """

    key: Hashable
    path: FieldPath
    begins: bool
    flow: bool
    column: int
    lead: str
    text: str
    trail: str = ""
    comment: str = ""


def _words(text: str) -> list[_Word]:
    text = f"\n{text}"  # so that every line has a line end before it, also the first
    events: Iterator[Any] = (event for event in yaml.parse(text, Loader=Loader) if isinstance(event, _PARTS))
    places = sorted(_places(next(events), events, ()), key=lambda place: place[0])
    words: list[_Word] = []
    done = depth = 0
    for token, start, begins in _tokens(text):
        item = isinstance(token, yaml.BlockEntryToken)  # a dash belongs to the item after it
        _, path = places[bisect_right(places, token.start_mark.index, key=lambda place: place[0]) - (not item)]
        says = (token.value, token.plain) if isinstance(token, yaml.ScalarToken) else text[start : token.end_mark.index]
        end = token.end_mark.index - (
            text[token.end_mark.index - 1] == "\n"
        )  # a `|` text includes its last line end, which is layout here
        closes = isinstance(token, _CLOSE)
        lead, column = _split(text[done:start], words, closes), start - text.rfind("\n", 0, start) - 1
        words.append(_Word((path, begins, says), path, begins, depth > 0, column, lead, text[start:end]))
        depth += isinstance(token, _OPEN) - closes
        done = end
    words[-1].comment, newline, rest = text[done:].partition("\n")
    return [*words, _Word("end", (), False, True, 0, newline + rest, "")]


def _tokens(text: str) -> Iterator[tuple[Any, int, bool]]:
    """Each token that is a word, where the word begins, and whether a field begins with it."""
    start, begins = -1, False
    for token in yaml.scan(text, Loader=Loader):
        begins = begins or isinstance(token, _BEGIN)
        if token.start_mark.index == token.end_mark.index:  # where a block or a key begins or ends
            continue
        start = token.start_mark.index if start < 0 else start
        if not isinstance(token, _PREFIX):
            yield token, start, begins
            start, begins = -1, False


def _split(gap: str, words: Sequence[_Word], closes: bool) -> str:
    """Split the text between two words: trail or comment of the first word, lead of the second."""
    head, newline, rest = gap.partition("\n")
    if not words or (closes and not newline):
        return gap
    if newline:
        words[-1].comment = head
    else:
        words[-1].trail = head
    return newline + rest


def _places(event: Any, events: Iterator[Any], path: FieldPath) -> Iterator[tuple[int, FieldPath]]:
    """The positions of a part: its first word, the words in it, and the bracket that closes it."""
    yield event.start_mark.index, path
    if not isinstance(event, yaml.CollectionStartEvent):
        return
    pairs, field = isinstance(event, yaml.MappingStartEvent), path
    for number, part in enumerate(events):
        start, end = part.start_mark.index, part.end_mark.index
        if isinstance(part, yaml.CollectionEndEvent):
            if event.flow_style:
                yield end - 1, path
            return
        if pairs and number % 2 == 0:
            field = (*path, getattr(part, "value", "*"))
            yield start, field
        else:
            yield from _places(part, events, field if pairs else (*path, number))


def _columns(words: Sequence[_Word]) -> dict[FieldPath, tuple[int, str]]:
    """By the path of a mapping or list: where its fields begin, and what leads there if they have lines of their own.
    Of those in braces or brackets only such."""
    found: dict[FieldPath, tuple[int, str]] = {}
    for word in words:
        _, newline, indent = word.lead.rpartition("\n")
        if word.begins and (newline or not word.flow):
            found.setdefault(word.path[:-1], (word.column, newline and newline + indent))
    return found


class _Merge:
    """Writes the words `new` with the layout of the words `old`."""

    def __init__(self, old: Sequence[_Word], new: Sequence[_Word]) -> None:
        self.old, self.new = old, new
        self.columns, self.new_columns = _columns(old), _columns(new)
        self.out: list[str] = []
        self.column = 0
        self.space = ""  # after the last word, if its line continues
        self.comments = ["", ""]  # comments to write at the end of this line, and on the next one

    def text(self) -> str:
        old, new = self.old, self.new
        matcher = SequenceMatcher(None, [word.key for word in old], [word.key for word in new], autojunk=False)
        for what, start, end, new_start, new_end in matcher.get_opcodes():
            if what == "equal":
                for number in range(end - start):
                    self._keep(old[start + number], new[new_start + number], number == 0, number == end - start - 1)
            elif what == "delete" and end == start + 1 and old[start].text == "," and old[end].text in ("}", "]"):
                self._keep(old[start], old[start], False, False)  # a comma before a closing bracket is layout, too
            else:
                self._change(old[start:end], new[new_start:new_end])
        return "".join([*self.out, *self.comments]).removeprefix("\n")

    def _keep(self, old: _Word, new: _Word, first: bool, last: bool) -> None:
        """Write a word that both texts have. The text changed before the first and after the last word of a run."""
        begins = first and not old.flow and "\n" in new.lead and "\n" not in old.lead
        self._put(old, self._lead(new) if begins else old.lead, old.trail or (new.trail if last else ""))
        self.comments[0] += old.comment

    def _change(self, old: Sequence[_Word], new: Sequence[_Word]) -> None:
        """Write new words in place of old ones."""
        line = list(takewhile(lambda word: "\n" not in word.lead, old))
        if line:  # the beginning of the line is kept
            self.comments[0] += line[-1].comment
        other = (
            bool(old and new) and old[0].path == new[0].path
        )  # a new value of the same field replaces the old one in its place
        above, gone = "", old[0].path if other else None
        for word in old:
            if gone is None or word.path[: len(gone)] != gone:
                gone = word.path
                above += word.lead.rpartition("\n")[0]
        for number, word in enumerate(new):
            if old and word.begins and word.path[:-1] == old[0].path[:-1]:
                self.comments[1] += above
                above = ""
            self._put(word, old[0].lead if other and number == 0 else self._lead(word), word.trail)
        self.comments[1] += above

    def _put(self, word: _Word, lead: str, trail: str) -> None:
        if "\n" in lead:
            self.out += self.comments
            self.comments = ["", ""]
        before = lead or self.space
        self.column = len(before) - before.rfind("\n") - 1 + (0 if "\n" in before else self.column)
        if word.begins and not word.flow:
            self.columns.setdefault(word.path[:-1], (self.column, lead and "\n" + " " * self.column))
        self.column += len(word.text)
        self.out += [before, word.text]
        self.space = trail

    def _lead(self, word: _Word) -> str:
        """The lead of a new word: like its siblings'. Without siblings, indented from its parent as in its own text."""
        column, own = self.columns.get(word.path[:-1], (None, ""))
        if word.begins and own:
            return own
        if "\n" not in word.lead:
            return word.lead
        if column is None:
            above = (word.path[:length] for length in range(len(word.path) - 1, -1, -1))
            both = (path for path in above if path in self.columns and path in self.new_columns)
            column = word.column + next((self.columns[path][0] - self.new_columns[path][0] for path in both), 0)
        return "\n" + " " * column
