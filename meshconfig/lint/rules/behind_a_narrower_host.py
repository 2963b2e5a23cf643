"""Routes for a wildcard host that some of its hosts never get, because another VirtualService has them by name."""

from collections.abc import Iterator
from typing import NamedTuple

from meshconfig.istio import HTTPMatchRequest, VirtualService
from meshconfig.istio.gateways import ends_https, is_plain_http, served_hosts
from meshconfig.istio.hosts import domain_matches, is_wildcard, wildcards
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.requests import fulfilling
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.match_index import MatchIndex
from meshconfig.lint.shadowing.unreachable import conditions, gateways_of
from meshconfig.simulate import Failure, Request, simulate

NO_ROUTE = 404


class Pair(NamedTuple):
    """Two hosts of VirtualServices at a Gateway, of which the wider includes the narrower."""

    gateway: str
    narrow: str
    wide: str


def check(index: Index) -> Iterator[Hit]:
    told: set[tuple[int, str]] = set()
    for pair in _pairs(index):
        narrow = index.gateway_virtual_services[pair.gateway, pair.narrow]
        for owner in index.gateway_virtual_services[pair.gateway, pair.wide]:
            if (id(owner), pair.wide) in told or owner in narrow:
                continue
            if (number := _lost(index, pair, owner, narrow)) is not None:
                told.add((id(owner), pair.wide))
                message = (
                    f"of {pair.narrow} {narrow[0]} alone has the routes: what http[{number}] here matches gets 404"
                )
                yield Hit(owner, ("spec", "hosts", owner.spec.hosts.index(pair.wide)), message)


def _pairs(index: Index) -> Iterator[Pair]:
    every = index.gateway_virtual_services
    for gateway, host in every:
        for wide in wildcards(host):
            if wide != host and (gateway, wide) in every:
                yield Pair(gateway, host, wide)


def _lost(index: Index, pair: Pair, owner: VirtualService, narrow: list[VirtualService]) -> int | None:
    """The first route of `owner` whose requests get 404 for the narrower host."""
    taken = MatchIndex[int](frozenset().union(*map(gateways_of, narrow)))
    for one in narrow:
        for number, route in enumerate(one.spec.http):
            if route.delegate is not None:
                return None  # what the delegate takes is not decided here
            for _, each in conditions(one, route, number):
                taken.add(number, each)
    for number, route in enumerate(owner.spec.http):
        for place, (_, each) in enumerate(conditions(owner, route, number)):
            match = route.match[place] if route.match else HTTPMatchRequest()
            if taken.covering(each) is None and _gets_404(index, pair, match):
                return number
    return None


def _gets_404(index: Index, pair: Pair, match: HTTPMatchRequest) -> bool:
    """Sends a request that fulfils the match, for the narrower host."""
    request = _request(index, pair, match)
    if request is None:
        return False
    decision = simulate(index.simulation, request)
    found = decision.outcome
    return isinstance(found, Failure) and found.status == NO_ROUTE and decision.virtual_host == pair.narrow.lower()


def _request(index: Index, pair: Pair, match: HTTPMatchRequest) -> Request | None:
    """A request for the host that fulfils the match; None where that is not simple, or the Gateway is not here."""
    gateway = index.gateways.get(pair.gateway)
    if gateway is None:
        return None
    host = pair.narrow.replace("*", "any", 1) if is_wildcard(pair.narrow) else pair.narrow
    for server in gateway.spec.servers:
        if not any(domain_matches(one.host, host) for one in served_hosts(server, gateway.namespace)):
            continue
        if is_plain_http(server) or ends_https(server):
            scheme = "http" if is_plain_http(server) else "https"
            return fulfilling(match, Request(host, gateway=pair.gateway, port=server.port.number, scheme=scheme))
    return None


RULE = Rule(
    code="GL224",
    level=Level.WARNING,
    title="Routes for a wildcard host do not apply to a host that another VirtualService names.",
    fix="Give the routes a VirtualService of that host as well: a gateway merges those of one host.",
    why="A gateway takes the most specific host that fits a request, and its routes alone. What they do not match gets "
    "404.",
    resources=check,
)
