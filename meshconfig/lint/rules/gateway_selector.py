"""A Gateway whose selector no gateway's Pods have."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for gateway in index.resources.gateways:
        selector = gateway.spec.selector
        # The gateway's own Deployment is often not among what is given: only one like it shows that they were.
        if selector and index.pods.gateways and not index.pods.selected("", selector):
            shown = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
            there = " or ".join(sorted(index.pods.gateways))
            yield Hit(gateway, ("spec", "selector"), f"no Pod template has the labels {shown}; there is {there}")


RULE = Rule(
    code="GL402",
    level=Level.ERROR,
    title="A Gateway's selector matches no gateway Pod.",
    fix="Use the labels of the gateway's Pods, usually istio: ingressgateway.",
    why="No proxy opens the port: connections are refused or answered 404.",
    istio=("IST0101",),
    kiali=("KIA0302",),
    needs=("Deployment",),
    resources=check,
)
