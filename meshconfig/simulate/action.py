"""What a matched route does to a request: the outcomes with their shares, and the mirrors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from meshconfig.istio import HTTPRoute, HTTPRouteDestination
from meshconfig.istio.destinations import (
    ALL_MILLIONTHS,
    AnyDestination,
    millionths,
    mirrors,
    sent_authority,
    weighted,
)
from meshconfig.istio.strings import UnknownError
from meshconfig.istio.types import RouteOfGatewayAPI, TCPRoute, unmodelled
from meshconfig.simulate import clusters, headers, paths
from meshconfig.simulate.candidates import Candidate, ProxyContext
from meshconfig.simulate.clusters import Cluster
from meshconfig.simulate.decision import (
    NO_CONNECTION,
    Destination,
    DirectResponse,
    Failure,
    Mirror,
    Outcome,
    Share,
    Undecided,
)
from meshconfig.simulate.index import Index
from meshconfig.simulate.redirect import redirected
from meshconfig.simulate.request import Request

_UNSENT = Fraction(0)


@dataclass(slots=True)
class Action:
    """The outcomes of a route with their shares, its mirrors, and the doubts and assumptions about them."""

    shares: list[Share] = field(default_factory=list)
    mirrors: list[Mirror] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def note(self, cluster: Cluster) -> None:
        """Adds the doubts and assumptions about a cluster."""
        self.undecided += cluster.undecided
        self.assumed += cluster.assumed


def act(index: Index, candidate: Candidate, request: Request, proxy: ProxyContext) -> Action:
    """The outcomes of a route that matched the request.

    A field that the simulation does not model raises nothing: its name is in `undecided`.

    Parameters:
        candidate: the route and the match that held.
        request: the request, its path normalized.
        proxy: the Envoy that routes the request.
    """
    action, route = Action(), candidate.route
    action.undecided += [f"the field {name} of a route is not modelled" for name in _unread(route)]
    if route.cors_policy is not None and _is_preflight(request):
        action.undecided.append("a CORS preflight is answered by Envoy itself, by corsPolicy")
    aborted, abort = _abort(route.fault or {})
    passed = 1 - aborted
    if abort is not None and aborted:
        action.shares.append(Share(aborted, abort))
    if passed:
        try:
            found = list(_outcomes(index, candidate, request, proxy, action))
        except UnknownError as error:
            action.undecided.append(str(error))
            found = [(Fraction(1), Undecided())]
        action.shares += [Share(passed * part, outcome) for part, outcome in found]
        action.mirrors += _mirrors(index, route, proxy, passed)
    action.shares = list(_merged(action.shares))
    return action


def to_service(index: Index, cluster: Cluster, request: Request) -> Action:
    """The outcome where no route applies: the proxy spreads the request over all Pods of the Service."""
    action = Action()
    action.note(cluster)
    action.shares.append(Share(Fraction(1), _destination(cluster, request.pairs, request.path, request.host)))
    return action


def forward(index: Index, route: TCPRoute, request: Request, proxy: ProxyContext) -> Action:
    """The outcomes of a `tcp` or `tls` route: the proxy forwards the bytes and leaves the request as it is."""
    action = Action()
    try:
        for part, one in _shares(weighted(route.route)):
            cluster = clusters.resolve(index, one.destination, proxy, stream=True)
            action.note(cluster)
            outcome = (
                Failure(NO_CONNECTION, f"the connection is closed: {cluster.missing}")
                if cluster.missing
                else _destination(cluster, request.pairs, request.path, request.host)
            )
            action.shares.append(Share(part, outcome))
    except UnknownError as error:
        action.undecided.append(str(error))
        action.shares.append(Share(Fraction(1), Undecided()))
    action.shares = list(_merged(action.shares))
    return action


def _outcomes(
    index: Index, candidate: Candidate, request: Request, proxy: ProxyContext, action: Action
) -> Iterator[tuple[Fraction, Outcome]]:
    route = candidate.route
    if route.delegate is not None:
        raise UnknownError("a delegate delegates again")
    if route.redirect is not None:
        yield Fraction(1), redirected(route.redirect, request, proxy, candidate.match)
    elif route.direct_response is not None:
        body = route.direct_response.body
        yield Fraction(1), DirectResponse(route.direct_response.status, (body.string if body else None) or "")
    else:
        for part, one in _weighted(route):
            yield part, _sent(index, candidate, one, request, proxy, action)


def _weighted(route: HTTPRoute) -> list[tuple[Fraction, HTTPRouteDestination]]:
    """The destinations, each with its share of the requests."""
    if not route.route:
        raise UnknownError("a route leads nowhere, which Envoy refuses")
    return _shares(weighted(route.route))


def _shares(found: list[tuple[int, AnyDestination]]) -> list[tuple[Fraction, AnyDestination]]:
    total = sum(weight for weight, _ in found)
    if total == 0:
        raise UnknownError("the weights of a route sum up to 0, which Envoy refuses")
    return [(Fraction(weight, total), one) for weight, one in found]


def _sent(
    index: Index, candidate: Candidate, one: HTTPRouteDestination, request: Request, proxy: ProxyContext, action: Action
) -> Outcome:
    route = candidate.route
    extra = [
        *unmodelled(one),
        *unmodelled(one.destination),
        *unmodelled(one.headers),
    ]
    action.undecided += [f"the field {name} of a destination is not modelled" for name in extra]
    cluster = clusters.resolve(index, one.destination, proxy)
    action.note(cluster)
    if cluster.missing:
        return Failure(500 if isinstance(route, RouteOfGatewayAPI) else 503, cluster.missing)
    if cluster.empty:
        return Failure(503, cluster.empty)
    operations = route.headers.request, one.headers.request
    sent = headers.applied(request.pairs, *operations, weighted=len(route.route) > 1)
    host = sent_authority(route, one) or request.host
    path = paths.rewritten(request.path, route.rewrite, candidate.match)
    if not paths.is_valid(path):
        action.undecided.append(f"the rewritten path {path!r} is none: the receiver decides, its sidecar answers 400")
    return _destination(cluster, sent, path, host)


def _destination(cluster: Cluster, pairs: tuple[tuple[str, str], ...], path: str, authority: str) -> Destination:
    return Destination(
        cluster.host,
        cluster.port,
        cluster.subset,
        tuple(sorted(cluster.labels.items())),
        pairs,
        path,
        authority,
        cluster.workloads,
        cluster.preferred,
        cluster.prefers,
    )


def _abort(fault: Mapping[str, Any]) -> tuple[Fraction, Failure | None]:
    """The share of requests that an injected fault answers; 0 for a fault without a percentage.

    Source: pilot route.go, TranslateFault; Istio, HTTPFaultInjection.Abort.
    """
    abort = fault.get("abort") or {}
    share = Fraction(millionths(abort.get("percentage")), ALL_MILLIONTHS)
    if "httpStatus" in abort:
        return share, Failure(int(abort["httpStatus"]), "injected fault")
    if "grpcStatus" in abort:
        return share, Failure(200, f"injected fault, gRPC status {abort['grpcStatus']}")
    return _UNSENT, None


def _mirrors(index: Index, route: HTTPRoute, proxy: ProxyContext, passed: Fraction) -> Iterator[Mirror]:
    if route.redirect is not None or route.direct_response is not None:
        return
    for target, share in mirrors(route):
        cluster = clusters.resolve(index, target, proxy)
        if not cluster.missing:
            yield Mirror(cluster.host, cluster.port, cluster.subset, Fraction(share, ALL_MILLIONTHS) * passed)


def _merged(shares: Iterable[Share]) -> Iterator[Share]:
    """Adds up the shares of equal outcomes; the order is that of the manifest."""
    sums: dict[Outcome, Fraction] = {}
    for share in shares:
        sums[share.outcome] = sums.get(share.outcome, _UNSENT) + share.probability
    return (Share(probability, outcome) for outcome, probability in sums.items())


def _unread(route: HTTPRoute) -> list[str]:
    parts = (route, route.headers, route.headers.request, route.rewrite, route.redirect, route.direct_response)
    return [name for part in parts if part is not None for name in unmodelled(part)]


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and bool(request.values("origin"))
