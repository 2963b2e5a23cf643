"""A rule of an HTTPRoute that a later one goes before, because that one asks for more."""

from collections.abc import Iterator, Sequence

from meshconfig.backend.gateway.matches import Match, UnclearError, before, covers, named_parts, rank
from meshconfig.istio.gateway_api import RouteResource, rules_of
from meshconfig.lint.api_routes import RuleMatch, rule_matches
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

REGEXES = False  # a path that is a regex has one here in any case


def check(index: Index) -> Iterator[Hit]:
    for route in index.routes_of_gateway_api:
        matches = rule_matches(route)
        told: set[tuple[int, int]] = set()
        for position, one in enumerate(matches):
            for later in matches[position + 1 :]:
                pair = one.rule, later.rule
                if pair not in told and _taken(route, one, later, matches):
                    told.add(pair)
                    path = ("spec", "rules", one.rule, "matches", one.number)
                    yield Hit(route, path, _message(one, later))


def _taken(route: RouteResource, one: RuleMatch, later: RuleMatch, matches: Sequence[RuleMatch]) -> bool:
    """Whether a later rule takes requests of an earlier one that asks for something else than the later one does."""
    if one.rule == later.rule or _alike(route, one.rule, later.rule) or not _asks_for_more(one.match, later.match):
        return False
    if rank(later.match, regexes=REGEXES) <= rank(one.match, regexes=REGEXES):
        return False
    try:
        both = before(one.match, later.match)
    except UnclearError:
        return False
    if both is None:
        return False
    theirs = rank(later.match, regexes=REGEXES)
    return not any(
        _alike(route, each.rule, one.rule)
        and covers(each.match, both)
        and (rank(each.match, regexes=REGEXES), -each.rule) > (theirs, -later.rule)
        for each in matches
    )


def _alike(route: RouteResource, one: int, other: int) -> bool:
    rules = rules_of(route)
    return rules[one].backend_refs == rules[other].backend_refs and rules[one].filters == rules[other].filters


def _asks_for_more(one: Match, later: Match) -> bool:
    """Whether a match asks for a header, a parameter or a method that the later one leaves open."""
    ours, theirs = named_parts(one), named_parts(later)
    return bool(ours[0] - theirs[0] or ours[1] - theirs[1] or (one.method and not later.method))


def _message(one: RuleMatch, later: RuleMatch) -> str:
    headers = sorted(named_parts(one.match)[0] | named_parts(one.match)[1]) or [one.match.method or ""]
    return (
        f"rules[{later.rule}] goes before it, because it asks for more, and takes requests that ask for "
        f"{' and '.join(headers)} too: repeat {' and '.join(headers)} in a match with what rules[{later.rule}] asks for"
    )


RULE = Rule(
    code="GL805",
    level=Level.WARNING,
    title="A later rule of an HTTPRoute goes before an earlier one, because it asks for more.",
    fix="Repeat the earlier rule's headers in a match that has the later rule's path and headers too.",
    why="Gateway API has no first match: an exact path goes before a prefix, a longer path before a shorter one, and "
    "only then do headers count. Requests with a lane's tag leave the lane at such a path.",
    resources=check,
)
