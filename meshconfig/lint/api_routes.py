"""The rules and backends of routes of the Gateway API, as lint's rules look at them."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from meshconfig.backend.gateway.matches import ANY, Match, Path
from meshconfig.istio.gateway_api import RouteResource, rules_of
from meshconfig.istio.gateway_api_types import BackendReference, NamedMatch, RouteMatch, RouteRule
from meshconfig.load import FieldPath
from meshconfig.model import Named, StringMatch, named


class BackendUse(NamedTuple):
    """A reference to a backend, and its field."""

    path: FieldPath
    reference: BackendReference


def backends(route: RouteResource) -> Iterator[BackendUse]:
    """All backends of a route, those that get copies too."""
    for number, rule in enumerate(rules_of(route)):
        at: FieldPath = ("spec", "rules", number)
        for index, one in enumerate(rule.backend_refs):
            yield BackendUse((*at, "backendRefs", index), one)
        for index, each in enumerate(rule.filters):
            if each.request_mirror:
                path = (*at, "filters", index, "requestMirror", "backendRef")
                yield BackendUse(path, each.request_mirror.backend_ref)


class RuleMatch(NamedTuple):
    """One match of an HTTPRoute's rule. `rule`, `number`: the indices of the rule and of the match in it."""

    rule: int
    number: int
    match: Match


def rule_matches(route: RouteResource) -> list[RuleMatch]:
    """The matches of an HTTPRoute in the order in which they are written; none of a GRPCRoute."""
    return [
        RuleMatch(number, index, _match(one))
        for number, rule in enumerate(rules_of(route))
        if isinstance(rule, RouteRule)
        for index, one in enumerate(rule.matches or (RouteMatch.model_construct(),))
    ]


def _match(one: RouteMatch) -> Match:
    return Match(_path(one), one.method, _strings(one.headers), _strings(one.query_params))


def _path(one: RouteMatch) -> Path:
    if one.path.type == "Exact":
        return Path("exact", one.path.value)
    if one.path.type == "RegularExpression":
        return Path("regex", one.path.value)
    return ANY if one.path.value == "/" else Path("elements", one.path.value.removesuffix("/"))


def _strings(matches: tuple[NamedMatch, ...]) -> Named:
    return named({one.name.lower(): StringMatch(_kind(one), one.value) for one in matches})


def _kind(one: NamedMatch) -> Literal["exact", "regex"]:
    return "exact" if one.type == "Exact" else "regex"
