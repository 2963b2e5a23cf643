"""Errors of the meshconfig package.

GraylaneError            root: anything this package raises by itself
├── InputError           what a person wrote cannot be used; the command line exits 2
├── LocalMeshError       the mesh on this machine could not be started or was refused by Envoy
└── ClusterError         the cluster was not there, said no, or did not get there in time
    ├── Unreachable      no answer from the API server, after trying again for a while
    └── ApiError         the API server's own answer: forbidden, invalid, not found …
        └── Conflict     fields that another manager owns, or a resource that changed in between
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file that a person wrote; `line` counts from 1, 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong: where, at which field (`spec.services.cat.port`, may be empty), and what."""

    location: Location
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.location), self.path, self.message) if part)


class GraylaneError(Exception):
    """Root of every error that this package raises by itself."""


class InputError(GraylaneError):
    """What a person wrote cannot be used.

    Parameters:
        problems: at least one; each is printed as one line `file:line: path: message`.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def at(cls, file: str, message: str, *, line: int = 0, path: str = "") -> "InputError":
        return cls([Problem(Location(file, line), path, message)])


class LocalMeshError(GraylaneError):
    """The mesh on this machine could not be started, or Envoy refused what it was given."""


class ClusterError(GraylaneError):
    """The cluster was not there, said no, or did not get there in time."""


class Unreachable(ClusterError):  # noqa: N818  what happened, as people say it
    """No answer from the API server, after trying again for a while."""


class ApiError(ClusterError):
    """The API server's own answer.

    Parameters:
        status: of HTTP; `reason` and `message` are those of Kubernetes' `Status`.
        causes: pairs of a field (`.spec.http`, may be empty) and what was said of it.
    """

    def __init__(self, status: int, reason: str, message: str, causes: Iterable[tuple[str, str]] = ()) -> None:
        self.status, self.reason, self.message, self.causes = status, reason, message, tuple(causes)
        super().__init__(message or reason or f"HTTP {status}")


class Conflict(ApiError):  # noqa: N818  Kubernetes' word
    """Fields that another manager owns (server-side apply), or a resource that changed in between."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """The hint that ends a message about an unknown name: the nearest valid one, or all when none is near."""
    names = sorted(valid)
    if close := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"; did you mean {close[0]}?"
    return f"; there is {', '.join(names)}" if 0 < len(names) <= 12 else ""


def dotted(path: Iterable[str | int]) -> str:
    """A field's path as people write it: `spec.entries[0].routes[1].service`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in part or not part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text
