"""An HTTPRoute with more rules, matches, hosts or backends than the API server takes."""

from collections.abc import Iterator

from meshconfig.backend.gateway.filters import BACKENDS
from meshconfig.backend.gateway.precedence import MATCHES, MATCHES_OF_ROUTE, RULES
from meshconfig.istio.gateway_api import RouteResource, rules_of
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath
from meshconfig.model import HOSTNAMES


def check(index: Index) -> Iterator[Hit]:
    for route in index.routes_of_gateway_api:
        for path, count, most, what in _counts(route):
            if count > most:
                yield Hit(route, path, f"has {count} {what}, and may have {most}")


def _counts(route: RouteResource) -> Iterator[tuple[FieldPath, int, int, str]]:
    rules = rules_of(route)
    yield ("spec", "hostnames"), len(route.spec.hostnames), HOSTNAMES, "hostnames"
    yield ("spec", "rules"), len(rules), RULES, "rules"
    yield ("spec", "rules"), sum(len(one.matches) for one in rules), MATCHES_OF_ROUTE, "matches in all rules"
    for number, rule in enumerate(rules):
        at: FieldPath = ("spec", "rules", number)
        yield (*at, "matches"), len(rule.matches), MATCHES, "matches"
        yield (*at, "backendRefs"), len(rule.backend_refs), BACKENDS, "backends"


RULE = Rule(
    code="GL806",
    level=Level.ERROR,
    title="An HTTPRoute has more rules, matches, hosts or backends than Gateway API allows.",
    fix="Spread the rules over several HTTPRoutes with the same parent: Istio merges them.",
    why="The API server refuses the resource, so that the routes stay as they were.",
    resources=check,
)
