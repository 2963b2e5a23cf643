"""What a propagated field is: its name, its names on the wire, and the values it takes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Self

BAGGAGE = "baggage"  # W3C's header
MAX_LENGTH = 64  # of a value, in characters
LONGEST_HEADER = 8192  # in characters; what is longer is not looked into
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TAG = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9._-]+)?")
_KNOWN = 64  # values to remember
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class HeaderNames(frozenset[str]):
    """Names of headers in lower case.

    lengths: how long they are; most other headers are told apart by length alone. by_bytes: each by its bytes.
    """

    lengths: frozenset[int]
    by_bytes: Mapping[bytes, str]

    def __new__(cls, names: Iterable[str]) -> Self:
        made = super().__new__(cls, names)
        made.lengths = frozenset(map(len, made))
        made.by_bytes = {name.encode(): name for name in made}
        return made


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
    _taken: set[str] = field(default_factory=set, init=False, repr=False, compare=False)  # of late

    def objection(self, value: str) -> str | None:
        """Why this field does not take `value`: "malformed", "unlisted", or None where it does."""
        if value in self._taken:
            return None
        if len(value) > MAX_LENGTH or not (_TAG if self.is_tag else _VALUE).fullmatch(value):
            return "malformed"
        if self.allowed is not None and self.read(value) not in self.allowed:
            return "unlisted"
        if len(self._taken) >= _KNOWN:
            self._taken.clear()  # strangers may send any number of values
        self._taken.add(value)
        return None

    def read(self, value: str) -> str:
        """What code sees of a valid `value`: of a tag the lane."""
        return value.partition(".")[0] if self.is_tag else value

    def agreed(self, sent: Sequence[str]) -> tuple[str, str | None]:
        """The one value that `sent` comes to, and the objection to it: "conflict" where values differ."""
        value = sent[0].strip(" \t") if sent else ""
        if len(sent) == 1 or (sent and all(one.strip(" \t") == value for one in sent)):
            return value, self.objection(value)
        return value, "conflict"


def each_value(header: Sequence[str]) -> Sequence[str]:
    """The values of a field's header, given as often as it came: whoever is on the way may join two by a comma.

    RFC 9110, section 5.3; a WSGI server always does, an ASGI server never. A header that is too long stays whole, which
    no field takes.
    """
    if len(header) == 1 and "," not in header[0]:
        return header
    return [
        value
        for text in header
        for value in (text.split(",") if "," in text and len(text) <= LONGEST_HEADER else (text,))
    ]


def is_token(name: str) -> bool:
    """Whether `name` can be a header's name and a baggage key (RFC 9110, section 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None
