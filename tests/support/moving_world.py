"""What proxies may be told while a group moves from one backend to the other, as far as barriers let them lag.

istiod watches each kind of resource by itself, so a proxy may be told the VirtualServices of one moment with the
HTTPRoutes of another. Of a host that has both, a sidecar takes either, whole: which one depends on its namespace and on
ages. A gateway has both, in the order of the ages of two Gateways. Hosts outside the mesh have their ServiceEntries and
DestinationRules of any of these moments.
"""

import json
from dataclasses import replace
from functools import lru_cache
from itertools import product

from plan_world import Moment, cut, is_outside, manifests_of, routes_between, window
from two_backends import gateway_request, mesh_request

from meshconfig.cluster.objects import Manifest
from meshconfig.istio import Resources
from meshconfig.istio.gateway_api import translated
from meshconfig.simulate import Index

EDGE = {"namespace": "istio-system", "name": "edge"}
PORT = {"number": 80, "name": "http", "protocol": "HTTP"}
LISTENER = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
ISTIO_GATEWAY: Manifest = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": EDGE,
    "spec": {"selector": {"istio": "ingressgateway"}, "servers": [{"port": PORT, "hosts": ["*"]}]},
}
API_GATEWAY: Manifest = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": EDGE,
    "spec": {"gatewayClassName": "istio", "listeners": [LISTENER]},
}
OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
OF_GATEWAY_API = ("HTTPRoute", "GRPCRoute")
RULE = "DestinationRule"
OF_OUTSIDE = ("ServiceEntry", RULE)


def at_the_edge(value):
    """A spec whose entries use that Gateway."""
    for entry in value["spec"]["entries"]:
        entry["gateway"] = {"use": "istio-system/edge"}
    return value


def moments(random, made, live):
    """A plan as moments, with states of each step's half-done writes."""
    states = [live, *made.states(live)]
    for before, after, step in zip(states, states[1:], made.steps, strict=False):
        partial = tuple(cut(random, before, step, count) for count in range(3))
        yield Moment(after, step.barrier, step.drain, partial)


def told(timeline, number):
    """The resources that istiod may have while moment `number` is brought about: kinds of different moments."""
    states = [timeline[one].state for one in window(timeline, number)] + list(timeline[number].partial)
    kinds = ("VirtualService",), OF_GATEWAY_API, OF_OUTSIDE
    apart = [
        _apart({name: one for name, one in state.items() if name.kind in each} for state in states) for each in kinds
    ]
    return [{**one, **other, **outside} for one, other, outside in product(*apart)]


def _apart(states):
    """The states without repetitions."""
    found = []
    for one in states:
        if one not in found:
            found.append(one)
    return found


def wrong(both, timeline, asked):
    """The requests, each as `random_specs.asked` draws it, that are answered in another way than before the move."""
    seen = []
    for number in range(1, len(timeline)):
        for state in told(timeline, number):
            if state in seen:
                continue
            seen.append(state)
            for one in asked:
                yield from ((number, one, found) for found in _wrong_at_entry(both, state, one))
                yield from ((number, one, found) for found in _wrong_between(both, state, one))


def _wrong_at_entry(both, state, one):
    request = gateway_request(*one)
    virtual_services = manifests_of(state, "VirtualService", mesh=False)
    theirs = [one for name, one in state.items() if name.kind in OF_GATEWAY_API and not _in_mesh(one)]
    for istio_first in (True, False):
        index = _at_the_edge(json.dumps([*virtual_services, *_led_to(both, state)]), json.dumps(theirs), istio_first)
        found = both.decide_by(index, request)[:2]
        if found != _before(both, request, at_gateway=True):
            yield "at the gateway", istio_first, found


@lru_cache(maxsize=4096)
def _at_the_edge(virtual_services, routes, istio_first):
    """The routes of both APIs in one virtual host, as istiod has them of two Gateways for the same Pods."""
    ages = (OLD, NEW) if istio_first else (NEW, OLD)
    istio, theirs = (
        [_of_age(one, age) for one in json.loads(text)]
        for text, age in zip((virtual_services, routes), ages, strict=True)
    )
    made = translated(Resources.parse([API_GATEWAY, *theirs])).virtual_services
    same = {"gateways": ("istio-system/edge",)}
    known = Resources.parse([ISTIO_GATEWAY, *istio])
    moved = [replace(one, spec=one.spec.model_copy(update=same)) for one in made]
    return Index(replace(known, virtual_services=(*known.virtual_services, *moved)))


def _of_age(one, created):
    return {**one, "metadata": {**one["metadata"], "creationTimestamp": created}}


def _wrong_between(both, state, one):
    _, method, path, headers = one
    found = routes_between(state)
    for service in both.models["istio"].services:
        for host in (table.hosts[0] for table in service.mesh_tables):
            request = mesh_request(host, method, path, headers, service.port)
            routes = found.get(host, ())
            wholes = [[each for each in routes if (each["kind"] == "VirtualService") is kind] for kind in (True, False)]
            for whole in [one for one in wholes if one] or [[]]:
                answer = both.decide_by(_index(json.dumps([*whole, *_led_to(both, state)])), request)[:2]
                if answer != _before(both, request):
                    yield host, [each["kind"] for each in whole], answer


def _led_to(both, state):
    """What routes lead to: in the mesh all of it, as `plan_world.lost` looks whether it is there; outside what is."""
    services = [one for one in both.rendered["gateway"] if one["kind"] == "Service"]
    subsets = [one for one in both.rendered["istio"] if one["kind"] == RULE and not is_outside(one["spec"]["host"])]
    outside = [one for name, one in state.items() if name.kind in OF_OUTSIDE and is_outside(_host(one))]
    return [*services, *subsets, *outside]


def _host(one):
    return one["spec"].get("host") or one["spec"]["hosts"][0]


def lost_tls(both, timeline):
    """Hosts outside the mesh whose DestinationRule is for a moment without the TLS of both backends."""
    rules = {one["metadata"]["name"]: one["spec"] for one in both.rendered["gateway"] if one["kind"] == RULE}
    for number, moment in enumerate(timeline):
        for state in (moment.state, *moment.partial):
            there = {one["metadata"]["name"]: one["spec"] for one in manifests_of(state, RULE)}
            for name, rule in rules.items():
                if is_outside(rule["host"]) and there.get(name, {}).get("trafficPolicy") != rule["trafficPolicy"]:
                    yield number, name


def _before(both, request, *, at_gateway=False):
    return both.decide_by(_rendered(both, at_gateway), request)[:2]


def _rendered(both, at_gateway):
    return _index(json.dumps([*both.rendered["istio"], *([ISTIO_GATEWAY] if at_gateway else ())]))


def _in_mesh(route):
    return route["spec"]["parentRefs"][0]["kind"] != "Gateway"


@lru_cache(maxsize=4096)
def _index(manifests):
    return Index(Resources.parse(json.loads(manifests)))
