"""Which routes of a VirtualService a proxy gets. Pilot decides that when it generates the proxy's configuration.

Where a match names `gateways`, pilot compares these alone and ignores its sourceLabels and sourceNamespace.
Source: pilot route.go, TranslateRoute and sourceMatchHTTP.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from meshconfig.istio import MESH, HTTPMatchRequest, HTTPRoute
from meshconfig.istio.matches import is_catch_all
from meshconfig.istio.routes import Mismatch, NamedRoute, RouteRef
from meshconfig.simulate.match import HELD, MatchResult


@dataclass(frozen=True, slots=True)
class ProxyContext:
    """The Envoy that routes a request: a sidecar, or a gateway under the name of one of its Gateways.

    Parameters:
        namespace: the namespace of its Pod.
        labels: the labels of its Pod; None when they are not known.
        port: the port that it listens on for this request; None when it is not known.
        gateway: `namespace/name` of the Gateway; `mesh` for a sidecar.
        tls: the request arrived over TLS.
    """

    namespace: str
    labels: Mapping[str, str] | None = field(hash=False)
    port: int | None
    gateway: str = MESH
    tls: bool = False

    @property
    def is_gateway(self) -> bool:
        return self.gateway != MESH


class Candidate(NamedTuple):
    """One match of one route.

    Parameters:
        match: None for a route without matches.
        kept_out: why pilot does not give this match to the proxy; `HELD` where it does.
        port: the port that the routes were made for. At a gateway, each server has the number that its Gateway gives.
    """

    ref: RouteRef
    route: HTTPRoute
    match: HTTPMatchRequest | None
    kept_out: MatchResult = HELD
    port: int | None = None

    @property
    def catch_all(self) -> bool:
        """Whether the match takes every request of the proxy."""
        return self.kept_out.matched and is_catch_all(self.match)


def candidates(routes: Iterable[NamedRoute], proxy: ProxyContext) -> Iterator[Candidate]:
    """The matches in order, up to the first that takes every request, because pilot drops all matches behind it."""
    for named in routes:
        if named.ignored is not None:
            yield Candidate(named.ref, named.route, None, MatchResult((named.ignored,)), proxy.port)
            continue
        for candidate in _matches(named, proxy):
            yield candidate
            if candidate.catch_all:
                return


def _matches(named: NamedRoute, proxy: ProxyContext) -> Iterator[Candidate]:
    if not named.route.match:
        yield Candidate(named.ref, named.route, None, HELD, proxy.port)
    for index, match in enumerate(named.route.match):
        ref = replace(named.ref, match_index=index)
        yield Candidate(ref, named.route, match, _kept_out(match, proxy), proxy.port)


def _kept_out(match: HTTPMatchRequest, proxy: ProxyContext) -> MatchResult:
    mismatches: list[Mismatch] = []
    unknown: list[str] = []
    if match.port:
        if proxy.port is None:
            unknown.append(f"a match asks for port {match.port}, and the request's port is not known")
        elif match.port != proxy.port:
            mismatches.append(Mismatch("port", str(match.port), str(proxy.port)))
    if match.gateways:
        if proxy.gateway not in match.gateways:
            mismatches.append(Mismatch("gateways", ", ".join(match.gateways), proxy.gateway))
        return MatchResult(tuple(mismatches), tuple(unknown))
    if match.source_labels and proxy.labels is None:
        unknown.append("a match has sourceLabels, and the sender's labels are not known")
    elif not match.source_labels.items() <= (proxy.labels or {}).items():
        mismatches += [
            Mismatch(f"sourceLabels {name}", value, (proxy.labels or {}).get(name))
            for name, value in match.source_labels.items()
            if (proxy.labels or {}).get(name) != value
        ]
    if match.source_namespace and match.source_namespace != proxy.namespace:
        mismatches.append(Mismatch("sourceNamespace", match.source_namespace, proxy.namespace))
    return MatchResult(tuple(mismatches), tuple(unknown))
