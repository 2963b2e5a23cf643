"""Names of groups."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class GroupRef:
    """A group by its name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
