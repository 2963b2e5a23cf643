"""An index of earlier matches by their conditions.

Each match is stored under one of its conditions, so that a later match is compared only with the few that could cover
it. Without it, a VirtualService with many lanes would take quadratic time.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from meshconfig.lint.shadowing.condition import Condition, Key, covers
from meshconfig.lint.shadowing.text import the_one

T = TypeVar("T")


class MatchIndex(Generic[T]):
    """Conditions in order, each with its owner.

    Parameters:
        gateways: the gateways of the VirtualService that contains all of them.
    """

    def __init__(self, gateways: frozenset[str]) -> None:
        self.gateways = gateways
        self._always: tuple[T, Condition] | None = None
        self._by_value: dict[tuple[Key, str], list[tuple[T, Condition]]] = {}
        self._by_key: dict[Key, list[tuple[T, Condition]]] = {}
        self._others: list[tuple[T, Condition]] = []

    def add(self, whose: T, one: Condition) -> None:
        if one.always:
            self._always = self._always or (whose, one)
        else:
            self._bucket(one).append((whose, one))

    def covering(self, later: Condition) -> tuple[T, Condition] | None:
        """An earlier condition that takes every request that `later` would, and its owner; preferably a catch-all."""
        if self._always:
            return self._always
        return next((found for found in self._candidates(later) if covers(found[1], later, self.gateways)), None)

    def _bucket(self, one: Condition) -> list[tuple[T, Condition]]:
        for key, value in one.values.items():
            if (text := the_one(value)) is not None:
                return self._by_value.setdefault((key, text), [])
        for key in one.values:
            return self._by_key.setdefault(key, [])
        return self._others

    def _candidates(self, later: Condition) -> Iterator[tuple[T, Condition]]:
        for key, value in later.values.items():
            if (text := the_one(value)) is not None:
                yield from self._by_value.get((key, text), ())
            yield from self._by_key.get(key, ())
        yield from self._others
