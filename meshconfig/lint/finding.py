"""What lint finds: where, which rule, what is wrong."""

from dataclasses import dataclass
from enum import StrEnum

from meshconfig.errors import Location


class Level(StrEnum):
    """How bad it is: `error` sends requests astray or nowhere, `warning` may, `info` is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        return list(Level).index(self)

    def reaches(self, threshold: "Level") -> bool:
        """Is it at least as bad as `threshold`?"""
        return self.rank <= threshold.rank


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake. Findings sort by place, then code.

    `path` is the field as people write it (`spec.http[0].route[0]`); `resource` says whose field it is
    (`VirtualService demo/cat`), for a spec the group (`LaneGroup demo/pets`).
    """

    location: Location
    code: str
    path: str
    message: str
    resource: str
    level: Level

    def __str__(self) -> str:
        return f"{self.location}: {self.level} {self.code}: {self.path}: {self.message}"
