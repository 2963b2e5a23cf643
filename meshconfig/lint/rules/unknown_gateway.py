"""A VirtualService bound to a Gateway that does not exist."""

from collections.abc import Iterator

from meshconfig.istio import MESH
from meshconfig.istio.gateways import gateway_name
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner in index.bound_to_gateways:
        for number, name in enumerate(owner.spec.gateways):
            full = gateway_name(name, owner.namespace)
            known = name == MESH or full in index.gateways or full in index.kubernetes_gateways
            if known or not index.is_given("Gateway", full.partition("/")[0]):
                continue
            message = f"there is no Gateway {full}{index.known_gateways.nearest(full)}"
            yield Hit(owner, ("spec", "gateways", number), message)


RULE = Rule(
    code="GL104",
    level=Level.ERROR,
    title="A VirtualService names a Gateway that does not exist.",
    fix="Name the Gateway as namespace/name.",
    why="The routes are on no gateway: requests from outside are answered 404.",
    istio=("IST0101",),
    kiali=("KIA1102",),
    needs=("Gateway",),
    resources=check,
)
