"""The steps that move a live group from one backend to the other. Pure.

The routes of both backends are made of the same route table, so they decide alike. What may not happen is that a proxy
has neither, or half of one, or routes to what it does not know. So all of the new is there before any of the old goes:

    what routes lead to → the new routes beside the old → the old routes go → what they led to goes

Which of the two a proxy takes meanwhile does not matter. A sidecar takes one VirtualService for a host, whole; istiod
makes one of the HTTPRoutes of a host, and puts it first for sidecars in its namespace, elsewhere behind older ones. A
gateway has the routes of both Gateways of a port in one virtual host, behind each other, and those for every request
last. Source: istio/istio pilot/pkg/model/virtualservice.go (SelectVirtualServices), pkg/networking/core/gateway.go
(buildGatewayHTTPRouteConfig) and route/route.go (SortVHostRoutes).

A host outside the mesh has one DestinationRule in both backends. It has a subset as long as a VirtualService may lead
there; HTTPRoutes lead to the host itself, which the rule's other fields are for, whether it has subsets or not.
"""

from collections.abc import Iterable, Mapping, Sequence

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.cluster.plan.steps import NewSubset, Plan, Step

ROUTES = frozenset({"VirtualService", "HTTPRoute", "GRPCRoute"})
ROUTES_OF: Mapping[str, frozenset[str]] = {
    "istio": frozenset({"VirtualService"}),
    "gateway": ROUTES - {"VirtualService"},
}
BACKENDS = tuple(ROUTES_OF)
RULE = "DestinationRule"
_LEADS_TO = {"istio": "subsets", "gateway": "Services of versions"}
_CALLED = {"istio": "VirtualServices", "gateway": "HTTPRoutes"}
ALIKE = "the routes of both backends decide alike, so that a proxy may have the old or the new ones"


def other(backend: str) -> str:
    """The backend that a group moves from."""
    return next(one for one in BACKENDS if one != backend)


def move(live: State, wanted: State, *, to: str, subsets: Sequence[NewSubset], settled: bool) -> Plan:
    """Plans a move. There are no steps where the resources are as wanted.

    Parameters:
        live: the group's resources in the cluster: those of one backend, or of both where a move was cut off.
        wanted: those of the backend that it moves to.
        to: the name of that backend.
        subsets: the subsets that its routes lead to.
        settled: the last change is complete, and the requests that were running then have ended.
    """
    if live == wanted:
        return Plan((), False, ("nothing differs",), ())
    beside = {name: serving_both(live.get(name), one) for name, one in wanted.items()}
    write = [one for name, one in beside.items() if live.get(name) != one]
    last = [one for name, one in wanted.items() if beside[name] != one]
    routes, others = (tuple(one for one in write if (one["kind"] in ROUTES) is kind) for kind in (True, False))
    gone = [name for name in live if name not in wanted]
    old, left = ([name for name in gone if (name.kind in ROUTES) is kind] for kind in (True, False))
    steps: list[Step] = []
    if write or not settled:
        title = f"{_LEADS_TO[to]}: beside what is there"
        why = "they have to be there, with ready Pods, before a route leads to them"
        # Of a move that was cut off, nobody waited till requests by the old routes had ended, where these have gone.
        drain = not (settled or old) or _are_looked_up(others if settled else wanted.values(), wanted)
        steps.append(Step(title, why, (others,) if others else (), new_subsets=tuple(subsets), drain=drain))
    if routes:
        title = f"routes: {_CALLED[to]} beside {_CALLED[other(to)]}"
        steps.append(Step(title, "both decide alike, so that a proxy may take either", (routes,)))
    if old:
        title = f"routes: the {_CALLED[other(to)]} go"
        steps.append(Step(title, "every proxy has the others", deletes=tuple(old), drain=True))
    if left or last:
        title = f"{_LEADS_TO[other(to)]}: what is left over goes"
        waves = (tuple(last),) if last else ()
        steps.append(Step(title, "no route leads there any more", waves, deletes=tuple(left), barrier=False))
    return Plan(tuple(steps), False, (ALIKE,), ())


def serving_both(live: Manifest | None, wanted: Manifest) -> Manifest:
    """A resource that serves the routes of both backends: the wanted one, with the subsets that it has beside it.

    Parameters:
        live: the resource of this name as it is; None without one.
    """
    subsets = live["spec"].get("subsets") if live and wanted["kind"] == RULE else None
    if not subsets or "subsets" in wanted["spec"]:
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "subsets": subsets}}


def _are_looked_up(resources: Iterable[Manifest], wanted: State) -> bool:
    """Whether there are subsets of hosts outside the mesh among resources. A proxy acknowledges them before it has
    looked up their addresses, and answers 503 in between."""
    outside = {host for one in wanted.values() if one["kind"] == "ServiceEntry" for host in one["spec"]["hosts"]}
    rules = [one["spec"] for one in resources if one["kind"] == RULE]
    return any(rule["host"] in outside and rule.get("subsets") for rule in rules)


def routes_of(backend: str, live: Iterable[Key]) -> list[Key]:
    """The routes among resources that a backend makes, sorted."""
    return sorted(one for one in live if one.kind in ROUTES_OF[backend])
