"""Two Gateways with the same host on the same port of the same Pods."""

from collections.abc import Iterator
from typing import NamedTuple

from meshconfig.istio import Gateway
from meshconfig.istio.gateways import served_hosts
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath

Selector = frozenset[tuple[str, str]]


class Served(NamedTuple):
    gateway: Gateway
    path: FieldPath


def check(index: Index) -> Iterator[Hit]:
    for (port, host), by_selector in _served(index).items():
        for selector, served in by_selector.items():
            others = [
                one for other, found in by_selector.items() if _same_pods(index, selector, other) for one in found
            ]
            for one in served:
                other = next((other.gateway for other in others if other.gateway is not one.gateway), None)
                if other:
                    yield Hit(one.gateway, one.path, f"{other} has the host {host} on port {port} too")


def _served(index: Index) -> dict[tuple[str, str], dict[Selector, list[Served]]]:
    """Who serves which host on which port, by the Pods that do it."""
    found: dict[tuple[str, str], dict[Selector, list[Served]]] = {}
    for gateway in index.resources.gateways:
        for number, server in enumerate(gateway.spec.servers):
            for place, host in enumerate(served_hosts(server, gateway.namespace)):
                served = Served(gateway, ("spec", "servers", number, "hosts", place))
                port = f"{server.bind}:{server.port.number}" if server.bind else str(server.port.number)
                by_selector = found.setdefault((port, str(host)), {})
                by_selector.setdefault(frozenset(gateway.spec.selector.items()), []).append(served)
    return found


def _same_pods(index: Index, one: Selector, other: Selector) -> bool:
    """For certain: the same labels, or a Pod template that was given and has both."""
    both = one | other
    consistent = len(dict(both)) == len(both)
    return one == other or (consistent and index.pods.selected("", dict(both)))


RULE = Rule(
    code="GL401",
    level=Level.WARNING,
    title="Two Gateways serve the same host on the same port of the same Pods.",
    fix="Keep one of them and bind all VirtualServices of the host to it, or give them different hosts.",
    why="With TLS the later one is dropped; without, the VirtualServices of both share one route table.",
    istio=("IST0145",),
    kiali=("KIA0301",),
    resources=check,
)
