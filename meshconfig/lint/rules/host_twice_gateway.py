"""Two VirtualServices for one host of a gateway, where it matters which of them comes first."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.match_index import MatchIndex
from meshconfig.lint.shadowing.unreachable import conditions, gateways_of


def check(index: Index) -> Iterator[Hit]:
    for (gateway, host), owners in index.gateway_virtual_services.items():
        if len(owners) < 2:
            continue
        order = list(range(len(owners)))
        quarrels = _losers(owners, order) | _losers(owners, order[::-1])
        for number, other in sorted(quarrels.items()):
            owner = owners[number]
            message = f"{owners[other]} has the host {host} at {gateway} too, and some requests match routes of both"
            yield Hit(owner, ("spec", "hosts", owner.spec.hosts.index(host)), message)


def _losers(owners: list[VirtualService], order: list[int]) -> dict[int, int]:
    """Which would lose requests to which, were their routes appended in this order.

    Istio itself moves a route for every request to the end: it takes nothing but from its like.
    """
    seen = MatchIndex[int](frozenset().union(*map(gateways_of, owners)))
    closing: list[int] = []  # those with a route for every request
    found: dict[int, int] = {}
    for number in order:
        routes = enumerate(owners[number].spec.http)
        mine = [one for place, route in routes for _, one in conditions(owners[number], route, place)]
        ahead = [by[0] for one in mine if not one.always and (by := seen.covering(one))]
        if any(one.always for one in mine):
            ahead += closing[:1]
            closing.append(number)
        if ahead:
            found[number] = ahead[0]
        for one in mine:
            if not one.always:
                seen.add(number, one)
    return found


RULE = Rule(
    code="GL217",
    level=Level.WARNING,
    title="Two VirtualServices of one host at a gateway match the same requests.",
    fix="Put both into one VirtualService, in the intended order, or make them match different paths.",
    why="A gateway appends the routes of one to the other's, the older first. If one is created again, the order "
    "changes.",
    kiali=("KIA1106",),
    resources=check,
)
