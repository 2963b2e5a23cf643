"""An index of earlier matches by their conditions.

Each match is stored under one of its conditions, the one that the fewest others share, so that a later match is
compared only with the few that could cover it. Where many share it, as with paths times lanes, they are stored below it
by their other conditions. Without it, a VirtualService with many lanes or paths would take quadratic time.
"""

import heapq
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from meshconfig.lint.shadowing.condition import Condition, Key, covers
from meshconfig.lint.shadowing.text import Texts, choices, is_closed, start

T = TypeVar("T")
FEW = 8  # up to here a list is quicker than the index


class Slot(NamedTuple):
    """A place in the index. What it holds can cover a condition on the same `key` that looks there.

    Parameters:
        kind: `exact` by each of a list of strings, `equal` by the same regular expression, `prefix` by the text with
            which the strings start, `regex` likewise, for expressions that can only cover lists of strings.
    """

    kind: str
    key: Key
    text: str


class MatchIndex(Generic[T]):
    """Conditions in order, each with its owner.

    Parameters:
        gateways: the gateways of the VirtualService that contains all of them.
    """

    def __init__(self, gateways: frozenset[str]) -> None:
        self.gateways = gateways
        self._always: tuple[T, Condition] | None = None
        self._count = 0
        self._level = _Level[T](frozenset())

    def add(self, whose: T, one: Condition) -> None:
        if one.always:
            self._always = self._always or (whose, one)
        else:
            self._count += 1
            self._level.add((self._count, whose, one))

    def covering(self, later: Condition) -> tuple[T, Condition] | None:
        """An earlier condition that takes every request that `later` would, and its owner; preferably a catch-all."""
        if self._always:
            return self._always
        candidates = self._level.candidates(later)
        return next(((whose, one) for _, whose, one in candidates if covers(one, later, self.gateways)), None)


class _Level(Generic[T]):
    """Conditions, each with its number and owner: first a list, then slots, of which each is a further level.

    Parameters:
        used: the keys of the slots around this one, by which its conditions cannot be told apart again.
    """

    def __init__(self, used: frozenset[Key]) -> None:
        self.size = 0
        self._used = used
        self._plain: list[tuple[int, T, Condition]] = []
        self._slots: dict[Slot, _Level[T]] = {}
        self._lengths: dict[tuple[str, Key], set[int]] = {}

    def add(self, entry: tuple[int, T, Condition]) -> None:
        self.size += 1
        if self.size <= FEW:
            self._plain.append(entry)
        elif self.size == FEW + 1:
            few, self._plain = [*self._plain, entry], []
            for each in few:
                self._store(each)
        else:
            self._store(entry)

    def candidates(self, later: Condition) -> Iterator[tuple[int, T, Condition]]:
        """Those that may cover `later`: slot by slot, and within a slot in their order."""
        yield from self._plain
        for level in self._levels(later):
            yield from level._in_order(later)

    def _in_order(self, later: Condition) -> Iterable[tuple[int, T, Condition]]:
        """The same by number."""
        if not self._slots:
            return self._plain
        return heapq.merge(self._plain, *(one._in_order(later) for one in self._levels(later)), key=itemgetter(0))

    def _store(self, entry: tuple[int, T, Condition]) -> None:
        places = [slots for slots in _places(entry[2]) if slots[0].key not in self._used]
        if not places:
            self._plain.append(entry)
            return
        for slot in min(places, key=self._size_of):
            if slot not in self._slots:
                self._slots[slot] = _Level(self._used | {slot.key})
                self._lengths.setdefault((slot.kind, slot.key), set()).add(len(slot.text))
            self._slots[slot].add(entry)

    def _size_of(self, slots: tuple[Slot, ...]) -> int:
        return self._slots[slots[0]].size if slots[0] in self._slots else 0

    def _levels(self, later: Condition) -> "Iterator[_Level[T]]":
        if self._slots:
            yield from (self._slots[slot] for slot in self._looked_at(later) if slot in self._slots)

    def _looked_at(self, later: Condition) -> Iterator[Slot]:
        for key, value in later.values.items():
            if key in self._used:
                continue
            strings = choices(value)
            if strings:
                yield Slot("exact", key, strings[0])
                yield from self._starts("regex", key, start(value))
            else:
                yield Slot("equal", key, value[0].value)
            yield from self._starts("prefix", key, start(value))
        for name, absent in later.absent.items():
            # Where one string alone must not be, only the same condition refuses as little.
            yield _absent(name, absent.values if len(choices(absent.values)) == 1 else None)
        yield _ELSEWHERE

    def _starts(self, kind: str, key: Key, text: str) -> Iterator[Slot]:
        lengths = self._lengths.get((kind, key), ())
        return (Slot(kind, key, text[:length]) for length in lengths if length <= len(text))


_ELSEWHERE = Slot("", ("", ""), "")


def _places(one: Condition) -> Iterator[tuple[Slot, ...]]:
    """The alternatives of where to store a condition: in all slots of one. The first slot counts for its size."""
    for key, value in one.values.items():
        if strings := choices(value):
            yield tuple(Slot("exact", key, text) for text in strings)
        elif is_closed(value):
            yield Slot("equal", key, value[0].value), Slot("regex", key, start(value))
        else:
            yield (Slot("prefix", key, start(value)),)
    if not one.values:
        yield from ((_absent(name, each.values), _absent(name, None)) for name, each in one.absent.items())
        if not one.absent:
            yield (_ELSEWHERE,)


def _absent(name: str, values: Texts | None) -> Slot:
    """By the strings that a header must not have; by its name alone for None."""
    return Slot("absent", ("absent", name), repr(values) if values else "")
