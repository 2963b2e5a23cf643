"""What a propagated field is: its name, its names on the wire, and the values it takes."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

MAX_LENGTH = 64  # of a value, in characters
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TAG = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9._-]+)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field that travels from process to process.

    name: its name in code and in `baggage`. wire_names: its headers in lower case; the first is written, all are read.
    allowed: the values it takes, None for every value of the grammar. is_tag: its value is LANE[.GENERATION], of which
    code sees the lane and the next hop all.
    """

    name: str
    wire_names: tuple[str, ...]
    allowed: AbstractSet[str] | None = None
    is_tag: bool = False

    def objection(self, value: str) -> str | None:
        """Why this field does not take `value`: "malformed", "unlisted", or None where it does."""
        if len(value) > MAX_LENGTH or not (_TAG if self.is_tag else _VALUE).fullmatch(value):
            return "malformed"
        if self.allowed is not None and self.read(value) not in self.allowed:
            return "unlisted"
        return None

    def read(self, value: str) -> str:
        """What code sees of a valid `value`: of a tag the lane."""
        return value.partition(".")[0] if self.is_tag else value


def is_token(name: str) -> bool:
    """Whether `name` can be a header's name and a baggage key (RFC 9110, section 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None
