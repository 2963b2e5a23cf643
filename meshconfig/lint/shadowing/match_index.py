"""An index of earlier matches by their conditions.

Each match is stored under one of its conditions, the one that the fewest others share, so that a later match is
compared only with the few that could cover it. Without it, a VirtualService with many lanes or paths would take
quadratic time.
"""

from collections.abc import Iterator
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
        self._few: list[tuple[T, Condition]] | None = []
        self._slots: dict[Slot, list[tuple[T, Condition]]] = {}
        self._lengths: dict[tuple[str, Key], set[int]] = {}

    def add(self, whose: T, one: Condition) -> None:
        if one.always:
            self._always = self._always or (whose, one)
        elif self._few is not None:
            self._few.append((whose, one))
            if len(self._few) > FEW:
                few, self._few = self._few, None
                for each in few:
                    self._store(*each)
        else:
            self._store(whose, one)

    def _store(self, whose: T, one: Condition) -> None:
        for slot in min(_places(one), key=self._size):
            self._slots.setdefault(slot, []).append((whose, one))
            self._lengths.setdefault((slot.kind, slot.key), set()).add(len(slot.text))

    def covering(self, later: Condition) -> tuple[T, Condition] | None:
        """An earlier condition that takes every request that `later` would, and its owner; preferably a catch-all."""
        if self._always:
            return self._always
        candidates = self._candidates(later) if self._few is None else self._few
        return next((found for found in candidates if covers(found[1], later, self.gateways)), None)

    def _size(self, slots: tuple[Slot, ...]) -> int:
        return len(self._slots.get(slots[0], ()))

    def _candidates(self, later: Condition) -> Iterator[tuple[T, Condition]]:
        for slot in self._looked_at(later):
            yield from self._slots.get(slot, ())

    def _looked_at(self, later: Condition) -> Iterator[Slot]:
        for key, value in later.values.items():
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
