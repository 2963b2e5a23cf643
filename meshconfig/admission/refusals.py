"""What is refused in one resource: where, what kind of mistake it is, and the words for its author."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

FieldPath = tuple[str | int, ...]
# A path while a resource is read: (the path around it, the last part), so that going down one level costs one pair.
At: TypeAlias = tuple[Any, str | int] | None


class Kind(StrEnum):
    """The kinds of mistakes. Each is one rule of lint."""

    UNKNOWN_FIELD = "unknown field"
    WRONG_TYPE = "wrong type"
    MISSING = "missing"
    BAD_VALUE = "bad value"
    CONTRADICTION = "contradiction"
    REPEATED = "repeated"
    ZERO_WEIGHTS = "weights that are all 0"
    REGEX = "unusable regular expression"
    SUBSET_NAME = "subset name"
    SUBSET_TWICE = "subset twice"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason for which the API server or Istio's webhook refuses a resource."""

    kind: Kind
    path: FieldPath
    message: str


@dataclass(slots=True)
class Refusals:
    """The refusals of one resource, as its checks find them."""

    found: list[Refusal] = field(default_factory=list)

    def add(self, kind: Kind, at: At, message: str) -> None:
        self.found.append(Refusal(kind, flat(at), message))

    def missing(self, at: At, message: str) -> None:
        self.add(Kind.MISSING, at, message)

    def bad(self, at: At, message: str) -> None:
        """Reports a bad value; an empty message reports nothing, so that a check's answer can be passed as it is."""
        if message:
            self.add(Kind.BAD_VALUE, at, message)

    def contradiction(self, at: At, message: str) -> None:
        self.add(Kind.CONTRADICTION, at, message)

    def repeated(self, at: At, message: str) -> None:
        self.add(Kind.REPEATED, at, message)


def flat(at: At) -> FieldPath:
    """A path as a tuple of its parts."""
    parts: list[str | int] = []
    while at is not None:
        at, part = at
        parts.append(part)
    return tuple(reversed(parts))
