"""A route of the Gateway API that is attached to nothing."""

from collections.abc import Iterator

from meshconfig.istio.gateway_api_types import GATEWAY_KIND
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for one in index.gateway_api.attached:
        parent = one.route.spec.parent_refs[one.parent]
        space = parent.namespace or one.route.namespace
        unknown = one.gateway and one.gateway not in index.kubernetes_gateways
        if one.why and not (unknown and not index.is_given(GATEWAY_KIND, space)):
            yield Hit(one.route, ("spec", "parentRefs", one.parent), one.why)
    for route in index.routes_of_gateway_api:
        if why := index.gateway_api.invalid.get(str(route)):
            yield Hit(route, ("spec", "rules"), f"istiod takes none of the rules: {why}")


RULE = Rule(
    code="GL803",
    level=Level.ERROR,
    title="A route of the Gateway API is attached to nothing.",
    fix="Name a Gateway whose listener has the route's host and allows its namespace, or a Service with group ''.",
    why="The route's status says so (Accepted: False), and requests are routed as if the route were not there.",
    resources=check,
)
