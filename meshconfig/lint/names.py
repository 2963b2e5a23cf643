"""The names that exist, for messages about one that does not."""

from collections.abc import Iterable

from meshconfig.errors import nearest

FEW = 20
_START = 3


class Names:
    """Known names. Among many, a misspelt one is compared only with some of the same start: comparing takes time."""

    def __init__(self, names: Iterable[str]) -> None:
        self._all = list(dict.fromkeys(names))
        self._by_start: dict[str, list[str]] = {}
        for name in self._all if len(self._all) > FEW else ():
            alike = self._by_start.setdefault(name[:_START], [])
            if len(alike) < FEW:
                alike.append(name)

    def nearest(self, name: str) -> str:
        """The end of a message about an unknown name, as `meshconfig.errors.nearest` writes it."""
        return nearest(name, self._by_start.get(name[:_START], ()) if self._by_start else self._all)
