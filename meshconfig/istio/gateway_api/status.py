"""What istiod reports in the status of a route that comes from a cluster.

Source: Gateway API, RouteParentStatus; istio/istio pilot/pkg/config/kube/gateway/conditions.go, createRouteStatus.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.istio.gateway_api.attach import RouteResource, rules_of
from meshconfig.istio.gateway_api_types import GATEWAY_KIND, BackendReference, ParentReference, ReferenceGrantSpec
from meshconfig.istio.resources import Resource, Resources

_CONTROLLER = "istio.io/"  # the controllers of Istio; those of others judge the same parentRef by their own rules
_ACCEPTED = "Accepted"
_RESOLVED = "ResolvedRefs"
_ASKED = (_ACCEPTED, _RESOLVED)
_OF_A_CLUSTER = ("uid", "generation", "resourceVersion")  # what only an API server gives an object


@dataclass(frozen=True, slots=True)
class Reported:
    """A condition of a route that is not as it should be, or has not been judged yet.

    Parameters:
        route: kind, namespace and name. parent: kind, namespace and name of what it names as its parent.
        index: that of the parentRef.
        status: `False` or `Unknown`.
    """

    route: str
    parent: str
    index: int
    type: str
    status: str
    reason: str
    message: str

    @property
    def refusal(self) -> bool:
        """Whether it says that istiod does not accept the route, so that the route decides nothing."""
        return (self.type, self.status) == (_ACCEPTED, "False")

    def __str__(self) -> str:
        return f"{self.route} at {self.parent}: {self.type} is {self.status}: {self.reason}, {self.message}"


@dataclass(frozen=True, slots=True)
class Unseen:
    """What istiod had not seen when it judged: resources of files and of specs, in place of a cluster's or beside them.

    Parameters:
        names: kind and `namespace/name` of Gateways, Services and ServiceEntries.
        grants: the namespaces with a ReferenceGrant.
    """

    names: frozenset[tuple[str, str]]
    grants: frozenset[str]

    @classmethod
    def of(cls, resources: Resources) -> "Unseen":
        """Those among resources."""
        every = (*resources.services, *resources.service_entries, *resources.others)
        unseen = [one for one in every if not _is_of_a_cluster(one)]
        grants = frozenset(one.namespace for one in unseen if isinstance(one.spec, ReferenceGrantSpec))
        return cls(frozenset((one.kind, one.key) for one in unseen), grants)

    def has_parent(self, route: RouteResource, ref: ParentReference) -> bool:
        """Whether a parent is one of them."""
        kind = GATEWAY_KIND if ref.kind == "Gateway" else ref.kind
        return (kind, f"{ref.namespace or route.namespace}/{ref.name}") in self.names

    def has_backend(self, route: RouteResource) -> bool:
        """Whether a backend of a route is one of them, or what allows the route to lead there may be."""
        return any(
            (ref.kind, f"{space}/{ref.name}") in self.names or (space != route.namespace and space in self.grants)
            for ref in _backends(route)
            for space in (ref.namespace or route.namespace,)
        )


def _backends(route: RouteResource) -> Iterator[BackendReference]:
    for rule in rules_of(route):
        yield from rule.backend_refs
        yield from (one.request_mirror.backend_ref for one in rule.filters if one.request_mirror)


def _is_of_a_cluster(one: Resource[Any]) -> bool:
    metadata = _mapping(one.manifest.get("metadata"))
    return one.source is None and any(metadata.get(name) for name in _OF_A_CLUSTER)


def reported(route: RouteResource, unseen: Unseen) -> Iterator[Reported]:
    """The conditions of a route that somebody has to know of, in the order of its parentRefs.

    That of a file is of the past and says nothing of what is written there now, so that only what comes from a cluster
    is judged. So it is at a parent that is not the cluster's, and with backends that are not.
    """
    metadata = _mapping(route.manifest.get("metadata"))
    if route.source is not None or not metadata.get("generation"):
        return
    unresolved = unseen.has_backend(route)
    judged = [_mapping(one) for one in _list(_mapping(route.manifest.get("status")).get("parents"))]
    ours = [one for one in judged if str(one.get("controllerName", "")).startswith(_CONTROLLER)]
    for index, ref in enumerate(route.spec.parent_refs):
        if unseen.has_parent(route, ref):
            continue
        status = next((one for one in ours if _is(one.get("parentRef"), ref)), {})
        parent = f"{ref.kind} {ref.namespace or route.namespace}/{ref.name}"
        for kind, found in _conditions(status, metadata["generation"]).items():
            if kind != _RESOLVED or not unresolved:
                yield Reported(str(route), parent, index, kind, *found)


def _conditions(status: Mapping[str, Any], generation: int) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message of each condition that is not `True` at the route's generation."""
    found = {str(one.get("type")): one for one in map(_mapping, _list(status.get("conditions")))}
    accepted = found.get(_ACCEPTED)
    if accepted is None or accepted.get("observedGeneration", 0) < generation:
        at = f"generation {generation}, only of {accepted.get('observedGeneration', 0)}" if accepted else "it"
        return {_ACCEPTED: ("Unknown", "Pending", f"istiod has said nothing of {at}")}
    wrong = {kind: found[kind] for kind in _ASKED if found.get(kind, {}).get("status") == "False"}
    return {kind: ("False", str(one.get("reason")), _line(one.get("message"))) for kind, one in wrong.items()}


def _is(given: Any, ref: ParentReference) -> bool:
    return isinstance(given, Mapping) and ParentReference.model_validate(given) == ref


def _line(text: Any) -> str:
    return " ".join(str(text or "").split()) or "without a message"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
