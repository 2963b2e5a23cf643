"""From what a spec matches to conditions, and how two of them hold at once."""

import itertools
import re
from collections.abc import Mapping

from meshconfig.model import Condition, Named, StringMatch, named
from meshconfig.spec.match import MAX_REGEX, EntryMatch, Match, PathMatch
from meshconfig.spec.match import StringMatch as StringMatchSpec

MAX_COOKIES = 3  # n cookies in one header take n! orders in one expression


class NotExpressibleError(ValueError):
    """Istio has no match for this; the message says what to change."""


def condition(match: Match) -> Condition:
    """One `match` of a spec.

    Raises:
        NotExpressibleError: cookies that cannot be put into one match on the header `cookie`.
    """
    headers = {name: string_match(value) for name, value in match.headers.items()}
    if match.cookies:
        if "cookie" in headers:
            raise NotExpressibleError("give either cookies or a match on the header cookie: Istio takes one per header")
        headers["cookie"] = StringMatch("regex", cookie_regex(match.cookies))
    return Condition(
        path=path(match.path) if match.path else None,
        method=match.method,
        headers=named(headers),
        query=_named(match.query),
        claims=_named(match.claims) if isinstance(match, EntryMatch) else (),
    )


def string_match(match: StringMatchSpec) -> StringMatch:
    if match.exact is not None:
        return StringMatch("exact", match.exact)
    if match.prefix is not None:
        return StringMatch("prefix", match.prefix)
    return StringMatch("regex", match.regex) if match.regex is not None else StringMatch("present")


def path(match: PathMatch) -> StringMatch | None:
    """A path's condition; the prefix `/` is every path."""
    if match.exact is not None:
        return StringMatch("exact", match.exact)
    if match.prefix is not None:
        return StringMatch("prefix", match.prefix) if match.prefix != "/" else None
    return StringMatch("regex", match.regex or "")


def both(one: Condition, other: Condition) -> Condition | None:
    """A condition that holds where both hold; None where they never do.

    Raises:
        NotExpressibleError: Istio has no such match: one match has one `uri`, and one entry per header.
    """
    if one.method and other.method and one.method != other.method:
        return None
    joined = _both_paths(one.path, other.path)
    if joined is _NEVER:
        return None
    if clash := {name for name, _ in one.headers} & {name for name, _ in other.headers}:
        raise NotExpressibleError(f"the header {min(clash)} is matched twice: Istio takes one match per header")
    return Condition(
        path=joined,
        method=one.method or other.method,
        headers=named(dict(one.headers + other.headers)),
        query=named(dict(one.query + other.query)),
        claims=named(dict(one.claims + other.claims)),
        absent=named(dict(one.absent + other.absent)),
    )


def tagged(header: str, lane: str, *, baggage: bool) -> tuple[Condition, ...]:
    """The conditions, any of which says that a request is tagged with this lane.

    With `baggage`, the W3C header counts where the plain one is absent: the plain header wins, as in `propagation`.
    """
    plain = Condition(headers=((header, StringMatch("exact", lane)),))
    if not baggage:
        return (plain,)
    member = StringMatch("regex", baggage_regex(header, lane))
    return (plain, Condition(headers=(("baggage", member),), absent=((header, StringMatch("present")),)))


def baggage_regex(key: str, value: str) -> str:
    """A W3C `baggage` header with this member anywhere in it (W3C Baggage 3.2.1: members, optional white space)."""
    return rf"(.*,)?\s*{_quoted(key)}\s*=\s*{_quoted(value)}\s*([;,].*)?"


def cookie_regex(cookies: Mapping[str, StringMatchSpec]) -> str:
    """A `Cookie` header that holds all of these cookies, in any order.

    Raises:
        NotExpressibleError: too many, or longer than Istio takes.
    """
    if len(cookies) > MAX_COOKIES:
        raise NotExpressibleError(f"at most {MAX_COOKIES} cookies in one match")
    pairs = [f"{_quoted(name)}={_cookie_value(match)}" for name, match in sorted(cookies.items())]
    # RFC 6265 puts one space between them. Short, because Envoy counts a regex's instructions: 100 where nobody sets
    # more, 32768 in Istio's bootstrap; a longer one has the whole route table refused.
    orders = [";(.*;)? *".join(order) for order in itertools.permutations(pairs)]
    chosen = orders[0] if len(orders) == 1 else f"({'|'.join(orders)})"
    regex = f"(.*; *)?{chosen} *(;.*)?"
    if len(regex) > MAX_REGEX:
        raise NotExpressibleError(f"these cookies make a regular expression of over {MAX_REGEX} characters")
    return regex


def _cookie_value(match: StringMatchSpec) -> str:
    given = string_match(match)
    if given.kind == "exact":
        return _quoted(given.value)
    if given.kind == "prefix":
        return _quoted(given.value) + "[^;]*"
    return f"({given.value})" if given.kind == "regex" else "[^;]*"


def _quoted(literal: str) -> str:
    return re.sub(r"([.+*?^$|()\[\]{}\\])", r"\\\1", literal)


def _named(matches: Mapping[str, StringMatchSpec]) -> Named:
    return named({name: string_match(value) for name, value in matches.items()})


_NEVER = StringMatch("exact", "")


def _both_paths(one: StringMatch | None, other: StringMatch | None) -> StringMatch | None:
    if one is None or other is None or one == other:
        return one or other
    if "regex" in (one.kind, other.kind):
        raise NotExpressibleError(
            f"the path {one.kind} {one.value} and the path {other.kind} {other.value} cannot both be asked for: "
            "Istio takes one match on the path, and a regex says nothing of another"
        )
    for here, there in ((one, other), (other, one)):
        if here.kind == "exact":
            return here if there.kind == "prefix" and here.value.startswith(there.value) else _NEVER
    narrow, wide = sorted((one, other), key=lambda prefix: len(prefix.value), reverse=True)
    return narrow if narrow.value.startswith(wide.value) else _NEVER
