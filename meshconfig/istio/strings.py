"""Istio's StringMatch on one value, as Envoy evaluates it."""

from functools import lru_cache
from typing import Any

from meshconfig.istio.types import PathElements, StringMatch

PRESENT = "present"


class UnknownError(Exception):
    """A condition that cannot be decided; the message says why."""


@lru_cache(maxsize=32768)  # a spec with 10,000 lanes asks for as many, several times
def compiled(pattern: str) -> Any:
    """The RE2 program of a pattern, or None where RE2 refuses it."""
    import re2  # most resources have no regular expression

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error:
        return None


def is_present_match(match: StringMatch) -> bool:
    """True for a match that asks for presence alone. To Istio the regex `*`, which RE2 refuses, means that too.

    Source: pilot route.go, canBeConvertedToPresentMatch.
    """
    kinds = (match.exact, match.prefix, match.regex)
    return all(kind is None for kind in kinds) or (match.regex == "*" and match.exact is None and match.prefix is None)


def refused(match: StringMatch) -> str:
    """Why Istio or Envoy would refuse this match; empty when they take it."""
    if match.model_extra:
        return f"a string match of an unknown kind: {', '.join(match.model_extra)}"
    if sum(kind is not None for kind in (match.exact, match.prefix, match.regex)) > 1:
        return "a string match has more than one of exact, prefix and regex"
    if match.regex is not None and match.regex != "*" and compiled(match.regex) is None:
        return f"RE2 refuses the regex {match.regex!r}"
    return ""


def matches(match: StringMatch, value: str) -> bool:
    """True where the value fulfils the match. A regex (RE2) has to match the whole value; any value is present.

    Raises:
        UnknownError: the match is one that Istio or Envoy refuses.
    """
    if why := refused(match):
        raise UnknownError(why)
    if match.exact is not None:
        return value == match.exact
    if isinstance(match, PathElements):
        return value == match.prefix or value.startswith(f"{match.prefix}/")
    if match.prefix is not None:
        return value.startswith(match.prefix)
    if match.regex is None or match.regex == "*":
        return True
    return compiled(match.regex).fullmatch(value) is not None


def described(match: StringMatch) -> str:
    """`exact gray`, `prefix /a`, `regex a.*`, `present`."""
    if is_present_match(match):
        return PRESENT
    for kind, value in (("exact", match.exact), ("prefix", match.prefix), ("regex", match.regex)):
        if value is not None:
            kind = "path prefix" if isinstance(match, PathElements) else kind
            return f"{kind} {value}" if value else f'{kind} ""'
    return PRESENT
