"""A Gateway whose selector no gateway's Pods have."""

from collections.abc import Iterator

from meshconfig.istio import Gateway
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

# The labels of the gateways that istioctl and Istio's Helm charts install. They are in nobody's repository.
INSTALLED = {
    "istio": ("ingressgateway", "egressgateway", "eastwestgateway", "ingress", "egress"),
    "app": ("istio-ingressgateway", "istio-egressgateway", "istio-eastwestgateway", "istio-ingress", "istio-egress"),
}


def check(index: Index) -> Iterator[Hit]:
    for gateway in index.resources.gateways:
        selector = gateway.spec.selector
        there = _near(index, gateway)
        if selector and there and not _is_installed(gateway) and not index.pods.selected("", selector):
            shown = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
            message = f"no Pod template has the labels {shown}; there is {' or '.join(sorted(there))}"
            yield Hit(gateway, ("spec", "selector"), message)


def _near(index: Index, gateway: Gateway) -> set[str]:
    """The workloads of gateways in its namespace or in Istio's. Without any, its Pods are not among what is given."""
    return {one for place in (gateway.namespace, ROOT_NAMESPACE) for one in index.pods.gateways.get(place, ())}


def _is_installed(gateway: Gateway) -> bool:
    return any(gateway.spec.selector.get(name) in values for name, values in INSTALLED.items())


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
