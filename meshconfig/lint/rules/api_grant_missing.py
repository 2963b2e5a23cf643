"""A route of the Gateway API that leads to another namespace without its leave."""

from collections.abc import Iterator

from meshconfig.istio.gateway_api.rules import Backends, InvalidRouteError, destination
from meshconfig.istio.types import RefusedBackend
from meshconfig.lint.api_routes import backends
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    at_gateways = {id(one.route) for one in index.gateway_api.attached if one.gateway}
    for route in index.routes_of_gateway_api:
        if id(route) not in at_gateways:
            continue  # between services Istio asks for no grant
        allowed = Backends(route.kind, route.namespace, index.gateway_api.grants)
        for path, reference in backends(route):
            try:
                found = destination(reference, allowed)
            except InvalidRouteError:
                continue
            if isinstance(found, RefusedBackend):
                yield Hit(route, path, found.why)


RULE = Rule(
    code="GL802",
    level=Level.ERROR,
    title="An HTTPRoute leads to another namespace, and no ReferenceGrant there allows it.",
    fix="Add a ReferenceGrant in the Service's namespace, from HTTPRoutes of the route's namespace to the Service.",
    why="Gateway API answers 500 for the share of a backend that a route may not use.",
    resources=check,
)
