"""The members of W3C `baggage` headers, as text: split within limits, told apart by key, written."""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from propagation.context import Member
from propagation.fields import BAGGAGE

HEADER = BAGGAGE
# W3C Baggage, "Limits": what every platform must pass on; more than that nobody has to look at.
MAX_MEMBERS = 64
MAX_BYTES = 8192
_SENDABLE = re.compile(r"[\t\x20-\x7e]+")
_KEY_SAFE = "!#$&'*^`|"
_VALUE_SAFE = "!#$&'()*/:<=>?@[]^`{|}"


def split(values: Iterable[str]) -> list[str]:
    """The members of several `baggage` headers, without the space around: the first 64 in the first 8192 bytes."""
    members: list[str] = []
    left = MAX_BYTES
    for value in values:
        parts = value[:left].split(",")
        if len(value) > left:
            parts.pop()  # cut in the middle
        members += [part.strip(" \t") for part in parts if part.strip(" \t")]
        left -= len(value)
        if left <= 0:
            break
    return members[:MAX_MEMBERS]


def split_all(values: Iterable[str]) -> list[str]:
    """The members of several `baggage` headers, without the space around them and without limits: of a caller's own."""
    return [member for value in values for part in value.split(",") if (member := part.strip(" \t"))]


def limited(listed: list[str]) -> list[str]:
    """As many of these members as W3C's limits leave room for."""
    kept: list[str] = []
    left = MAX_BYTES
    for member in listed[:MAX_MEMBERS]:
        left -= len(member) + 1
        if left < 0:
            break
        kept.append(member)
    return kept


def key_of(member: str) -> str:
    """A member's key, read as OpenTelemetry reads it; "" for what is no member."""
    key, sign, _ = member.partition("=")
    return unquote_plus(key).strip() if sign else ""


def value_of(member: str) -> str | None:
    """A member's value without its properties, decoded as RFC 3986 says ("+" is itself); None for what is not UTF-8.

    An encoded ";" ends it too: OpenTelemetry for Python takes properties for a part of the value, and encodes them.
    """
    value = member.partition("=")[2].partition(";")[0].strip(" \t")
    try:
        decoded, cut, _ = unquote(value, errors="strict").partition(";")
    except UnicodeDecodeError:
        return None
    return decoded.strip(" \t+") if cut else decoded  # the space before a property, as it writes it


def foreign(member: str, earlier: str | None = None) -> Member:
    """A member that is not ours, with the value that OpenTelemetry's own propagator gives it: properties included.

    earlier: what was written for the same key before; both are passed on, the later gives the value.
    """
    value = unquote_plus(member.partition("=")[2].strip(" \t")).strip()
    return Member(value, member if earlier is None else f"{earlier},{member}")


def is_sendable(member: str) -> bool:
    """Whether `member` can stand in a header as it is."""
    return _SENDABLE.fullmatch(member) is not None


def write(key: str, value: str) -> str:
    """A member for an entry of OpenTelemetry's baggage, percent-encoded so that RFC 3986 and "+"-readers agree."""
    return f"{quote(key, safe=_KEY_SAFE)}={quote(value, safe=_VALUE_SAFE)}"


def rewritten(member: str) -> str:
    """What OpenTelemetry's own propagator makes of `member` when it reads it and writes it again."""
    key, _, value = member.partition("=")
    return f"{quote_plus(unquote_plus(key).strip())}={quote_plus(unquote_plus(value).strip())}"
