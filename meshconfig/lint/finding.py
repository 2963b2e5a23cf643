"""A finding of lint: its place, rule and message."""

from dataclasses import dataclass
from enum import StrEnum

from meshconfig.errors import Location
from meshconfig.printable import escape_line


class Level(StrEnum):
    """The severity. `error`: requests fail or go to a wrong version. `warning`: they may. `info`: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        return list(Level).index(self)

    def reaches(self, threshold: "Level") -> bool:
        """Whether this level is at least as severe as `threshold`."""
        return self.rank <= threshold.rank


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake. Findings sort by place, then by code.

    `path` is the field (`spec.http[0].route[0]`). `resource` is its resource (`VirtualService demo/cat`), or for a spec
    its group (`LaneGroup demo/pets`).
    """

    location: Location
    code: str
    path: str
    message: str
    resource: str
    level: Level

    def __str__(self) -> str:
        return escape_line(f"{self.location}: {self.level} {self.code}: {self.path}: {self.message}")
