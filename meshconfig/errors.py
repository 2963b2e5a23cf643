"""Errors of the meshconfig package.

GraylaneError            root: anything this package raises by itself
├── InputError           a file, field or option is invalid; the command line exits with 2
├── LocalMeshError       the local mesh did not start, or Envoy refused its configuration
└── ClusterError         the cluster was unreachable, refused a request, or was too slow
    ├── Unreachable      the API server did not answer, also after retries
    └── ApiError         the API server answered with an error: forbidden, invalid, not found …
        ├── Conflict     another manager owns the fields, or the resource changed in between
        └── Unauthorized the API server does not accept the credentials
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from meshconfig.printable import escape_line

LONGEST = 1000  # characters of a field's path, and of a message


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file of the user. `line` counts from 1; 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: its place, the field (`spec.services.cat.port`, may be empty), and a message."""

    location: Location
    path: str
    message: str

    def __str__(self) -> str:
        parts = (str(self.location), _start(self.path), _start(self.message))
        return escape_line(": ".join(part for part in parts if part))


def _start(text: str) -> str:
    """A text that may repeat what somebody wrote, cut to what people read in one line."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class GraylaneError(Exception):
    """The base of every error that this package raises. The command line exits with `exit_status`."""

    exit_status = 1

    @property
    def lines(self) -> Sequence[str]:
        """What is printed of it, a line each."""
        return f"graylane: {self}".split("\n")


class InputError(GraylaneError):
    """Something that the user wrote is invalid.

    Parameters:
        problems: at least one; each is printed as one line `file:line: path: message`.
    """

    exit_status = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def lines(self) -> Sequence[str]:
        return tuple(map(str, self.problems))

    @classmethod
    def at(cls, file: str, message: str, *, line: int = 0, path: str = "") -> "InputError":
        return cls([Problem(Location(file, line), path, message)])


class LocalMeshError(GraylaneError):
    """The mesh on this machine did not start, or Envoy refused its configuration."""


class ClusterError(GraylaneError):
    """The cluster was unreachable, refused a request, or was too slow."""


class Unreachable(ClusterError):  # noqa: N818  what happened, as people say it
    """The API server did not answer, also after retries."""


class ApiError(ClusterError):
    """The API server answered with an error.

    Parameters:
        status: the HTTP status. `reason` and `message` come from Kubernetes' `Status` object.
        causes: pairs of a field (`.spec.http`, may be empty) and a message about it.
    """

    def __init__(self, status: int, reason: str, message: str, causes: Iterable[tuple[str, str]] = ()) -> None:
        self.status, self.reason, self.message, self.causes = status, reason, message, tuple(causes)
        super().__init__(escape_line(message or reason or f"HTTP {status}"))


class Conflict(ApiError):  # noqa: N818  Kubernetes' word
    """Another manager owns the fields (server-side apply), or the resource changed in between."""


class Unauthorized(ApiError):  # noqa: N818  HTTP's word
    """The API server does not accept the credentials.

    Parameters:
        source: where the credentials are from.
        message: the server's own words.
    """

    def __init__(self, server: str, source: str, message: str) -> None:
        said = f"the API server {server} refuses the credentials of {source} (401 {message or 'Unauthorized'})"
        hint = "the token or certificate has ended or is another cluster's: log in again"
        super().__init__(401, "Unauthorized", f"{said}; {hint}")


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar valid name, or all names if none is similar."""
    names = sorted(valid)
    if len(name) <= LONGEST and (close := get_close_matches(name, names, n=1, cutoff=0.6)):
        return f"; did you mean {close[0]}?"
    return f"; there is {', '.join(names)}" if 0 < len(names) <= 12 else ""


def shown(value: Any) -> str:
    """What stands in a field, in a few words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = str(value) if not isinstance(value, str) else repr(value)
            return text if len(text) <= 60 else text[:57] + "..."


# By the type of pydantic's error: what a field takes, in YAML's words.
WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a string",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def dotted(path: Iterable[str | int]) -> str:
    """A field's path as text: `spec.entries[0].routes[1].service`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in part or not part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
    return text
