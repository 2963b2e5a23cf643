"""Which preview lanes a group has room for: `limits.previews`. Those that wait come in by age."""

from collections.abc import Iterable
from typing import Protocol


class Waiting(Protocol):
    """A Lane object, as far as its place in the queue goes."""

    @property
    def name(self) -> str: ...
    @property
    def admitted(self) -> bool: ...
    @property
    def deleting(self) -> bool: ...
    @property
    def phase(self) -> str: ...


def has_room(lanes: Iterable[Waiting], name: str, most: int | None) -> bool:
    """Whether a lane may be made now.

    Parameters:
        lanes: all of the group, the oldest first.
        name: of the one that asks.
        most: `limits.previews`; None for no limit.
    """
    if most is None:
        return True
    given = list(lanes)
    there = sum(one.admitted for one in given)  # one that ends has Pods until it is gone
    # One that waits for a person takes no place from those behind it.
    waiting = [one.name for one in given if not (one.admitted or one.deleting or one.phase == "Failed")]
    return there + (waiting.index(name) if name in waiting else len(waiting)) < most
