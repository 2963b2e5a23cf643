"""The decision about one request: find the virtual host, try its routes in order, apply the first that matches."""

from dataclasses import replace
from fractions import Fraction

from meshconfig.istio import Resources
from meshconfig.istio.matches import refused_in
from meshconfig.istio.routes import Mismatch, RouteRef
from meshconfig.simulate import clusters
from meshconfig.simulate.action import act, forward, to_service
from meshconfig.simulate.at_gateway import listening
from meshconfig.simulate.candidates import Candidate, ProxyContext
from meshconfig.simulate.decision import Decision, Failure, Outcome, Share, Skipped, Undecided
from meshconfig.simulate.doubts import doubts, gateway_api
from meshconfig.simulate.in_mesh import calling
from meshconfig.simulate.index import Index
from meshconfig.simulate.match import MatchResult, evaluate
from meshconfig.simulate.paths import is_valid, normalized
from meshconfig.simulate.redirect import to_https
from meshconfig.simulate.request import Request
from meshconfig.simulate.streams import StreamChoice

_ALL = Fraction(1)
NO_ROUTE = "no route"


def simulate(resources: Resources | Index, request: Request) -> Decision:
    """What Istio does to one HTTP request.

    The answer follows pilot's translation of the resources and Envoy's treatment of the request.

    Parameters:
        resources: any resources, rendered by graylane or handwritten. For many requests over the same resources,
            build an `Index` once and pass that.
        request: the request and the proxy that it passes first.

    Source: Istio 1.31 (pilot/pkg/networking/core), Envoy 1.40.
    """
    index = resources if isinstance(resources, Index) else Index(resources)
    if not is_valid(request.path):
        return Decision(None, (Share(_ALL, Failure(400, "not a valid path")),))
    request = replace(request, path=normalized(request.path))
    return _in_mesh(index, request) if request.gateway is None else _at_gateway(index, request)


def _at_gateway(index: Index, request: Request) -> Decision:
    found = listening(index, request)
    others = gateway_api(index, request.authority_host)
    undecided = [*found.undecided, *doubts(index, found.proxy), *others]
    if found.failure is not None:
        decision = _answer(found.failure)
        if found.stream is not None:
            decision = replace(decision, skipped=_skipped(found.stream))
    elif found.stream is not None:
        decision = _forwarded(index, request, found.proxy, found.stream)
    elif found.to_https and request.scheme == "http":
        decision = _answer(to_https(request))
    else:
        decision = _routed(index, request, found.proxy, found.candidates)
    return _with(decision, undecided, found.assumed, found.domain)


def _in_mesh(index: Index, request: Request) -> Decision:
    found = calling(index, request)
    request = replace(request, scheme=_believed_scheme(request))
    others = gateway_api(index, request.authority_host, found.domain) if found.domain else ()
    undecided = [*found.undecided, *doubts(index, found.proxy), *others]
    if found.answer is not None:
        decision = _answer(found.answer)
    elif found.stream is not None and found.stream.taken is not None:
        decision = _forwarded(index, request, found.proxy, found.stream)
    elif found.service is not None:
        action = to_service(index, clusters.of_service(index, found.service, found.proxy, found.pod), request)
        skipped = _skipped(found.stream) if found.stream is not None else ()
        decision = Decision(None, tuple(action.shares), skipped, (), tuple(action.undecided), tuple(action.assumed))
    else:
        decision = _routed(index, request, found.proxy, found.candidates)
    return _with(decision, undecided, found.assumed, found.domain)


def _believed_scheme(request: Request) -> str:
    """A sidecar believes the sender's `x-forwarded-proto`; a gateway overwrites it (measured)."""
    said = request.values("x-forwarded-proto")
    return said[0] if said and said[0] in ("http", "https") else request.scheme


def _answer(outcome: Outcome) -> Decision:
    return Decision(None, (Share(_ALL, outcome),))


def _with(decision: Decision, undecided: list[str], assumed: list[str], domain: str) -> Decision:
    return replace(
        decision,
        undecided=tuple(dict.fromkeys([*undecided, *decision.undecided])),
        assumed=tuple(dict.fromkeys([*assumed, *decision.assumed])),
        virtual_host=domain,
    )


def _forwarded(index: Index, request: Request, proxy: ProxyContext, stream: StreamChoice) -> Decision:
    """What becomes of a connection that a `tcp` or `tls` route takes."""
    assert stream.taken is not None
    action = forward(index, stream.taken.route, request, proxy)
    undecided = (*stream.undecided, *action.undecided)
    ref, skipped = stream.taken.ref, _skipped(stream)
    return Decision(ref, tuple(action.shares), skipped, (), undecided, tuple(action.assumed))


def _skipped(stream: StreamChoice) -> tuple[Skipped, ...]:
    return tuple(Skipped(ref, reasons) for ref, reasons in stream.skipped)


def _routed(index: Index, request: Request, proxy: ProxyContext, tried: list[Candidate]) -> Decision:
    refused = [why for one in tried if (why := refused_in(one.match))]
    if refused:
        # Envoy accepts a route configuration as a whole or not at all, so even the earlier routes are not certain.
        return Decision(None, (Share(_ALL, Undecided()),), undecided=tuple(dict.fromkeys(refused)))
    skipped: dict[RouteRef, list[tuple[Mismatch, ...]]] = {}
    for candidate in tried:
        result = _result(candidate, request)
        if result.matched:
            return _acted(index, candidate, request, proxy, skipped)
        if not result.mismatches:
            return Decision(candidate.ref, (Share(_ALL, Undecided()),), _list(skipped), (), result.unknown)
        skipped.setdefault(candidate.ref.route, []).append(result.mismatches)
    return Decision(None, (Share(_ALL, Failure(404, NO_ROUTE)),), _list(skipped))


def _result(candidate: Candidate, request: Request) -> MatchResult:
    kept_out = candidate.kept_out
    if kept_out.mismatches:
        return kept_out
    result = evaluate(candidate.match, request)
    return MatchResult(result.mismatches, (*kept_out.unknown, *result.unknown))


def _acted(
    index: Index,
    candidate: Candidate,
    request: Request,
    proxy: ProxyContext,
    skipped: dict[RouteRef, list[tuple[Mismatch, ...]]],
) -> Decision:
    action = act(index, candidate, request, replace(proxy, port=candidate.port))
    skipped.pop(candidate.ref.route, None)
    return Decision(
        candidate.ref,
        tuple(action.shares),
        _list(skipped),
        tuple(action.mirrors),
        tuple(action.undecided),
        tuple(action.assumed),
    )


def _list(skipped: dict[RouteRef, list[tuple[Mismatch, ...]]]) -> tuple[Skipped, ...]:
    return tuple(Skipped(ref, tuple(reasons)) for ref, reasons in skipped.items())
