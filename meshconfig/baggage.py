"""W3C `baggage` as far as a mesh needs it: one member written, matched by a regular expression, read.

Source: W3C Baggage, 3.2 (members are `key=value;properties`, separated by commas, percent-encoded). What is read here
and in `propagation` is the same; the two packages share no code.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_plus

HEADER = "baggage"
_KEY_SAFE = "!#$&'*^`|"
_END = r"\s*(([;,]|%3[bB]).*)?"  # what follows a value: a property, another member; some stacks encode the `;`


def member(key: str, value: str) -> str:
    """The member of a tag. A lane's name needs no encoding, a header's name may."""
    return f"{quote(key, safe=_KEY_SAFE)}={value}"


def regex(key: str, value: str) -> str:
    """RE2 for a header with this member anywhere in it, percent-encoded or not."""
    return matching(key, _coded(value))


def matching(key: str, value: str) -> str:
    """RE2 for a header with a member of this key, whose value matches `value`, RE2 too, without what follows it."""
    return rf"(.*,)?\s*{_coded(key)}\s*=\s*{value}{_END}"


@lru_cache(maxsize=4096)  # every service asks for each lane
def value_asked(pattern: str, key: str) -> str | None:
    """The value that a pattern of `regex` with this key asks for; None for any other pattern."""
    head = matching(key, "").removesuffix(_END)
    if not (pattern.startswith(head) and pattern.endswith(_END)):
        return None
    value = re.sub(r"\((\\?)(.)\|%[0-9a-zA-Z\[\]]+\)", r"\2", pattern[len(head) : len(pattern) - len(_END)])
    return value if regex(key, value) == pattern else None


def with_key(key: str) -> str:
    """RE2 for a header in which a member may have this key, in any case. One with `%` or `+` is taken for it."""
    return rf"(.*,)?\s*((?i:{quoted(key)})\s*|[^,=]*[%+][^,=]*)=.*"


def takes_all_of(wide: str, narrow: str) -> bool:
    """Whether a pattern of `with_key` takes all headers that a pattern of `regex` with the same key takes."""
    head, _, tail = with_key("KEY").partition("KEY")
    if not (wide.startswith(head) and wide.endswith(tail)):
        return False
    return asks_for(narrow, re.sub(r"\\(.)", r"\1", wide[len(head) : len(wide) - len(tail)]))


def asks_for(pattern: str, key: str) -> bool:
    """Does a regular expression ask for a member of this key, in `regex`'s form or the one before percent-encoding?"""
    return any(pattern.startswith(rf"(.*,)?\s*{one}\s*=") for one in (_coded(key), quoted(key)))


def quoted(literal: str) -> str:
    """RE2 for a text as it stands."""
    return re.sub(r"([.+*?^$|()\[\]{}\\])", r"\\\1", literal)


def _coded(text: str) -> str:
    return "".join(f"({quoted(char)}|%{_digits(char)})" for char in text)


def _digits(char: str) -> str:
    """The two hexadecimal digits of a character, in any case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(char):02x}")


def members(headers: Iterable[str]) -> list[str]:
    """The members of all given headers, without the space around them."""
    return [one for header in headers for part in header.split(",") if (one := part.strip(" \t"))]


def key_of(one: str) -> str:
    """A member's key; empty for what is no member."""
    key, sign, _ = one.partition("=")
    return unquote_plus(key).strip() if sign else ""


def value_of(one: str) -> str:
    """A member's value without its properties, also where their `;` is encoded."""
    return unquote(one.partition("=")[2].partition(";")[0].strip(" \t")).partition(";")[0].strip(" \t")
