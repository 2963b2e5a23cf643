"""Turns the matches of a spec into conditions, and joins two conditions into one."""

import itertools
from collections.abc import Mapping
from functools import lru_cache

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.baggage import quoted, regex, with_key
from meshconfig.model import Condition, Named, StringMatch, named
from meshconfig.spec.match import MAX_REGEX, EntryMatch, Match, PathMatch, is_too_long
from meshconfig.spec.match import StringMatch as StringMatchSpec

MAX_COOKIES = 3  # clients send cookies in any order, so n cookies need n! alternatives in one regex


class NotExpressibleError(ValueError):
    """Istio has no match that expresses this; the message says what to change."""


def condition(match: Match) -> Condition:
    """The condition for one `match` of a spec.

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
    """The model's match for a match of a spec."""
    if match.exact is not None:
        return StringMatch("exact", match.exact)
    if match.prefix is not None:
        return StringMatch("prefix", match.prefix)
    return StringMatch("regex", match.regex) if match.regex is not None else StringMatch("present")


def path(match: PathMatch) -> StringMatch | None:
    """The condition on a path; None for the prefix `/`, which every path has."""
    if match.exact is not None:
        return StringMatch("exact", match.exact)
    if match.prefix is not None:
        return StringMatch("prefix", match.prefix) if match.prefix != "/" else None
    return StringMatch("regex", match.regex or "")


def both(one: Condition, other: Condition) -> Condition | None:
    """The condition that holds where both hold; None where they never hold together.

    Raises:
        NotExpressibleError: the condition would need two matches on the path or on one header; Istio takes one of each.
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


@lru_cache(maxsize=4096)  # every service has a route for each lane
def tagged(header: str, lane: str, *, baggage: bool) -> tuple[Condition, ...]:
    """The conditions for requests with the lane's tag; a request has the tag if any of them holds.

    Parameters:
        header: the name of the tag's header.
        lane: the tag's value.
        baggage: also take the tag from the W3C header `baggage` where the plain header is absent. The plain header
            wins, as in `propagation`.
    """
    plain = Condition(headers=((header, StringMatch("exact", lane)),))
    if not baggage:
        return (plain,)
    member = StringMatch("regex", regex(header, lane))
    return (plain, Condition(headers=((BAGGAGE, member),), absent=((header, StringMatch("present")),)))


def foreign_baggage(header: str) -> Condition:
    """There is baggage, all of it is ASCII, and no member is the tag's.

    RE2 reads UTF-8: of a header with other bytes it may not say what stands beside them.
    """
    return Condition(
        headers=((BAGGAGE, StringMatch("regex", r"[\t -~]+")),),
        absent=((BAGGAGE, StringMatch("regex", with_key(header))),),
    )


def cookie_condition(name: str, match: StringMatchSpec) -> Condition:
    """The condition for requests that have a cookie whose value matches, as one of several."""
    return Condition(headers=(("cookie", StringMatch("regex", cookie_regex({name: match}))),))


def cookie_regex(cookies: Mapping[str, StringMatchSpec]) -> str:
    """A regex for a `Cookie` header that has all of these cookies, in any order.

    Raises:
        NotExpressibleError: there are too many cookies, or the regex is longer than Istio accepts.
    """
    if len(cookies) > MAX_COOKIES:
        raise NotExpressibleError(f"at most {MAX_COOKIES} cookies in one match")
    pairs = [f"{quoted(name)}={_cookie_value(match)}" for name, match in sorted(cookies.items())]
    # RFC 6265 puts one space between cookies. The regex is kept short, because Envoy limits the instructions of a
    # regex (100 by default, 32768 in Istio's bootstrap) and refuses the whole route table for a longer one.
    orders = [";(.*;)? *".join(order) for order in itertools.permutations(pairs)]
    chosen = orders[0] if len(orders) == 1 else f"({'|'.join(orders)})"
    regex = f"(.*; *)?{chosen} *(;.*)?"
    if is_too_long(regex):
        raise NotExpressibleError(f"these cookies make a regular expression of over {MAX_REGEX} bytes")
    return regex


def _cookie_value(match: StringMatchSpec) -> str:
    given = string_match(match)
    if given.kind == "exact":
        return quoted(given.value)
    if given.kind == "prefix":
        return quoted(given.value) + "[^;]*"
    return f"({given.value})" if given.kind == "regex" else "[^;]*"


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
