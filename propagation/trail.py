"""The trail: which versions answered the calls of one request, collected for the request's own answer.

The mesh's routes add `x-graylane-trail: SERVICE/VERSION` to the answer of a tagged request. A service passes on what
its calls were answered with, one header line a hop, callee first, so that the caller sees all who took part.
"""

import re
from collections.abc import Callable, Iterable
from itertools import islice

HEADER = "x-graylane-trail"
MAX_HOPS = 64
# Both names are DNS labels in a spec; other meshes' names may have dots, underscores and capitals.
_HOP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST = 2 * 63 + len("/, ")  # of a hop in a header that joins several
Values = Iterable[str]
Answer = tuple[object, Values]


class Trail:
    """What the calls of one request were answered with; shared by all its tasks and threads."""

    __slots__ = ("_answers", "_open")

    def __init__(self) -> None:
        self._answers: list[tuple[object, list[str]]] = []
        self._open: list[Callable[[], list[Answer] | None]] = []

    def take(self, answer: object, values: Values) -> None:
        """Add the hops in `values`, the trail's headers of one answer.

        answer: the answer's own object. Where two layers of a client each hand in the same one, it counts once.
        """
        found = hops_in(values)
        if not found or len(self._answers) >= MAX_HOPS:
            return
        for known, _ in self._answers:
            if known is answer:
                return
        self._answers.append((answer, found))

    def take_later(self, read: Callable[[], list[Answer] | None]) -> None:
        """Add the hops of a call that is still under way.

        read: gives what `take` is given, None before the call has ended. Of more than 64 at once, the rest is left out.
        """
        self._settle()
        if len(self._open) < MAX_HOPS:
            self._open.append(read)

    def hops(self) -> list[str]:
        """The hops that are known now, callee first, at most 64."""
        if self._open:
            self._settle()
        if not self._answers:
            return []
        return [hop for _, found in self._answers for hop in found][:MAX_HOPS]

    def _settle(self) -> None:
        for read in list(self._open):
            if (answers := read()) is not None:
                try:
                    self._open.remove(read)
                except ValueError:
                    continue  # another thread of the request was first
                for answer, values in answers:
                    self.take(answer, values)


def with_own(hops: list[str], own: Values) -> list[str]:
    """The hops of a request's calls, and those that its app itself has written into the answer.

    An app that passes a call's answer on, as a proxy does, has written that call's: they count once.
    """
    return [*hops, *(hop for hop in hops_in(own) if hop not in hops)][:MAX_HOPS]


def hops_in(values: Values) -> list[str]:
    """The hops in some headers' values, of which one may hold several, joined by commas. Anything else is left out."""
    found: list[str] = []
    for value in islice(values, MAX_HOPS):
        for part in value[: MAX_HOPS * _LONGEST].split(","):
            hop = part.strip(" \t")
            if _HOP.fullmatch(hop):
                found.append(hop)
                if len(found) == MAX_HOPS:
                    return found
    return found
