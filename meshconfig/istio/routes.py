"""A VirtualService's HTTP routes with those of its delegates merged in.

Source: pilot model/virtualservice.go (MergeHTTPRoutes) and virtualservice_controller.go. Pilot compares the fields as
they stand in YAML, so "not given" and "empty" differ here too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from meshconfig.istio.exports import visible
from meshconfig.istio.gateways import gateway_name
from meshconfig.istio.hosts import fqdn
from meshconfig.istio.resources import VirtualService
from meshconfig.istio.types import Destination, HTTPMatchRequest, HTTPRoute, RouteOfGatewayAPI, StringMatch

# A delegate's route takes these of the root's where it has none itself.
_INHERITED = (
    "rewrite",
    "direct_response",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirror_percent",
    "mirror_percentage",
    "cors_policy",
    "mirrors",
    "headers",
)


@dataclass(frozen=True, slots=True)
class RouteRef:
    """One entry of a VirtualService's `http`, and which of its OR-ed matches (None: it has no `match`).

    `delegate` names the delegate VirtualService that the route was taken from, and its place there. `kind` is the list
    that has the route: `http`, `tcp` or `tls`. `written` is the rule of the Gateway API that the route comes from, as
    `HTTPRoute demo/cat-svc rules[0]`; then `virtual_service` names what istiod makes of it.
    """

    virtual_service: str
    index: int
    name: str = ""
    match_index: int | None = None
    delegate: str = ""
    delegate_index: int | None = None
    kind: str = "http"
    written: str = ""

    def __str__(self) -> str:
        if self.written:
            return f"{self.written} ({self.name})" if self.name else self.written
        place = f"VirtualService {self.virtual_service} {self.kind}[{self.index}]"
        if self.delegate:
            place += f" → {self.delegate} http[{self.delegate_index}]"
        return f"{place} ({self.name})" if self.name else place

    @property
    def resource(self) -> str:
        """The resource that has the route, as `VirtualService demo/cat-svc` or `HTTPRoute demo/cat-svc`."""
        return self.written.rpartition(" ")[0] or f"VirtualService {self.virtual_service}"

    @property
    def route(self) -> "RouteRef":
        """The route without the match: equal for all OR-ed matches of one route."""
        return replace(self, match_index=None)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A condition that did not hold: the field, what the route wants, what the request has (None: nothing)."""

    field: str
    wanted: str
    got: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.field}: {self.wanted}, absent" if self.got is None else f"{self.field}: {self.wanted} ≠ {self.got}"
        )


class NamedRoute(NamedTuple):
    """A route, its place, and why pilot leaves it out: its delegate is missing or does not fit."""

    ref: RouteRef
    route: HTTPRoute
    ignored: Mismatch | None = None


_CONFLICT = Mismatch("match", "within that of the route that delegates", "in conflict with it")


def routes(root: VirtualService, delegates: Mapping[str, VirtualService]) -> Iterator[NamedRoute]:
    """The routes in order, hosts and gateway names resolved.

    Parameters:
        delegates: the VirtualServices without hosts, by `namespace/name`.
    """
    for index, route in enumerate(root.spec.http):
        written = route.written if isinstance(route, RouteOfGatewayAPI) else ""
        ref = RouteRef(root.key, index, route.name, written=written)
        route = _resolved(route, root.namespace)
        if route.delegate is None:
            yield NamedRoute(ref, route)
        else:
            yield from _delegated(ref, route, root, delegates)


def _delegated(
    ref: RouteRef, route: HTTPRoute, root: VirtualService, delegates: Mapping[str, VirtualService]
) -> Iterator[NamedRoute]:
    assert route.delegate is not None
    name = f"{route.delegate.namespace or root.namespace}/{route.delegate.name}"
    delegate = delegates.get(name)
    if delegate is None:
        yield NamedRoute(ref, route, Mismatch("delegate", name))
    elif not visible(delegate.spec.export_to, delegate.namespace, root.namespace):
        exported = ", ".join(delegate.spec.export_to)
        yield NamedRoute(ref, route, Mismatch(f"delegate {name}", f"exported to {root.namespace}", exported))
    else:
        for index, sub in enumerate(delegate.spec.http):
            place = RouteRef(ref.virtual_service, ref.index, _joined(route.name, sub.name), None, name, index)
            merged = _merged(route, _resolved(sub, delegate.namespace))
            if merged is None:
                yield NamedRoute(place, sub, _CONFLICT)
            else:
                yield NamedRoute(place, merged)


def _resolved(route: HTTPRoute, namespace: str) -> HTTPRoute:
    """Short hosts and gateway names are those of the VirtualService that they are written in."""
    if isinstance(route, RouteOfGatewayAPI):
        return route  # its hosts are in full
    match = tuple(
        one.model_copy(update={"gateways": tuple(gateway_name(name, namespace) for name in one.gateways)})
        if one.gateways
        else one
        for one in route.match
    )
    targets = tuple(one.model_copy(update={"destination": _full(one.destination, namespace)}) for one in route.route)
    update: dict[str, Any] = {"match": match, "route": targets}
    if route.mirror is not None:
        update["mirror"] = _full(route.mirror, namespace)
    if route.mirrors:
        update["mirrors"] = tuple(
            one.model_copy(update={"destination": _full(one.destination, namespace)}) for one in route.mirrors
        )
    return route.model_copy(update=update)


def _full(destination: Destination, namespace: str) -> Destination:
    return destination.model_copy(update={"host": fqdn(destination.host, namespace)})


def _merged(root: HTTPRoute, sub: HTTPRoute) -> HTTPRoute | None:
    match = _merged_matches(root.match, sub.match)
    if match is None:
        return None
    taken = {
        name: getattr(root, name)
        for name in _INHERITED
        if name not in sub.model_fields_set and name in root.model_fields_set
    }
    return sub.model_copy(update={**taken, "match": match, "name": _joined(root.name, sub.name)})


def _joined(root: str, sub: str) -> str:
    return f"{root}-{sub}" if root and sub else root or sub


def _merged_matches(
    root: tuple[HTTPMatchRequest, ...], sub: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    if not root or not sub:
        return root or sub
    merged: list[HTTPMatchRequest] = []
    for one in sub:
        fitting = [_merged_match(other, one) for other in root if not conflicts(other, one)]
        if not fitting:
            return None
        merged += fitting
    return tuple(merged)


def _merged_match(root: HTTPMatchRequest, sub: HTTPMatchRequest) -> HTTPMatchRequest:
    names = ("headers", "without_headers", "query_params", "source_labels")
    update: dict[str, Any] = {name: {**getattr(root, name), **getattr(sub, name)} for name in names}
    for name in ("uri", "scheme", "method", "authority"):
        update[name] = getattr(sub, name) if getattr(sub, name) is not None else getattr(root, name)
    for name in ("port", "source_namespace", "gateways"):
        update[name] = getattr(sub, name) or getattr(root, name)
    return sub.model_copy(update={**update, "name": _joined(root.name, sub.name)})


def conflicts(root: HTTPMatchRequest, sub: HTTPMatchRequest) -> bool:
    """True where pilot finds that the delegate's match is not within the root's."""
    pairs = [(getattr(root, name), getattr(sub, name)) for name in ("uri", "scheme", "method", "authority")]
    for group in ("headers", "without_headers", "query_params"):
        pairs += [(getattr(root, group).get(name), one) for name, one in getattr(sub, group).items()]
    return (
        any(_strings_conflict(ours, theirs) for ours, theirs in pairs)
        or root.ignore_uri_case != sub.ignore_uri_case
        or bool(root.port and sub.port and root.port != sub.port)
        or bool(root.source_namespace and sub.source_namespace != root.source_namespace)
        or any(root.source_labels.get(name, value) != value for name, value in sub.source_labels.items())
        or bool(root.gateways and not set(sub.gateways) <= set(root.gateways))
    )


def _strings_conflict(root: StringMatch | None, sub: StringMatch | None) -> bool:
    if root is None or sub is None:
        return False
    if (root.regex and (sub.regex or sub.prefix or sub.exact)) or (sub.regex and (root.prefix or root.exact)):
        return True
    if root.exact:
        return bool(sub.prefix) or sub.exact != root.exact
    if root.prefix and (narrower := sub.prefix or sub.exact):
        return not narrower.startswith(root.prefix)
    return True
