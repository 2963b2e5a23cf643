"""Where a route sends requests: shares among destinations, copies to mirrors, the authority that goes on.

Source: Istio, HTTPRoute; pilot route.go (applyHTTPRouteDestination, MirrorPercent, TranslateHeadersOperations).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from meshconfig.istio import ports
from meshconfig.istio.types import (
    Destination,
    HeaderOperations,
    HTTPRedirect,
    HTTPRoute,
    HTTPRouteDestination,
    OtherRouteDestination,
)

AnyDestination = TypeVar("AnyDestination", HTTPRouteDestination, OtherRouteDestination)

ALL_MILLIONTHS = 1_000_000
_PER_PERCENT = 10_000


def weighted(destinations: Sequence[AnyDestination]) -> list[tuple[int, AnyDestination]]:
    """The destinations that get requests, each with its weight.

    A single one gets all, whatever its weight; of several, one without a weight gets nothing.
    """
    if len(destinations) == 1:
        return [(1, destinations[0])]
    return [(one.weight, one) for one in destinations if one.weight]


def millionths(percentage: Any) -> int:
    """An Istio `Percent` (`{value: 12.5}`, 0 to 100) in millionths of all, rounded down as pilot does; none is 0.

    Source: pilot route.go, translatePercentToFractionalPercent.
    """
    value = percentage.get("value") if isinstance(percentage, Mapping) else None
    return min(int(float(value or 0) * _PER_PERCENT), ALL_MILLIONTHS)


def mirrors(route: HTTPRoute) -> Iterator[tuple[Destination, int]]:
    """The destinations that get copies of a route's requests, each with its share in millionths, above 0.

    Source: pilot route.go, MirrorPercent and MirrorPercentByPolicy.
    """
    every: list[tuple[Destination, int]] = []
    if route.mirror is not None:
        every.append((route.mirror, _mirrored(route)))
    every += [
        (one.destination, ALL_MILLIONTHS if one.percentage is None else millionths(one.percentage))
        for one in route.mirrors
    ]
    return ((destination, share) for destination, share in every if share)


def _mirrored(route: HTTPRoute) -> int:
    if route.mirror_percentage is not None:
        return millionths(route.mirror_percentage)
    return ALL_MILLIONTHS if route.mirror_percent is None else route.mirror_percent * _PER_PERCENT


def is_internal(header: str) -> bool:
    """True for a header that a route's operations cannot write. Pilot applies `host` and `:authority` itself."""
    return header.startswith(":") or header.lower() == "host"


def authority(operations: HeaderOperations) -> str:
    """The authority that header operations give the request; empty where they leave it. `set` wins over `add`."""
    found = ""
    for group in (operations.add, operations.set):
        for name, value in sorted(group.items()):
            if name.lower() in ("host", ":authority") and value:
                found = value
    return found


def sent_authority(route: HTTPRoute, destination: HTTPRouteDestination) -> str:
    """The authority with which a request goes to a destination; empty where it keeps its own."""
    rewritten = route.rewrite.authority if route.rewrite else ""
    return rewritten or authority(route.headers.request) or authority(destination.headers.request)


def redirect_port(redirect: HTTPRedirect, called: int | None, *, tls: bool) -> int | None:
    """The port that a redirect names; None where the client is to take its scheme's own.

    Parameters:
        called: the port at which the proxy took the request. tls: it ended TLS there.

    Source: pilot route.go, ApplyRedirect.
    """
    port = redirect.port or (called if redirect.derive_port == "FROM_REQUEST_PORT" else None)
    scheme = redirect.scheme or ("https" if tls else "http")
    return None if port == ports.BY_SCHEME.get(scheme) else port
