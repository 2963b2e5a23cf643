"""What requests meet while a plan is carried out, where proxies lag as far as barriers let them.

A chain comes in at an entry and goes on to services, by the headers that the entry let through. Which version of which
resource decides at each hop is free within what the barriers and drains of the plan allow.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from hypothesis import strategies as st
from istio_world import deployment, service
from random_specs import LANES, SERVICES, asked

from meshconfig.backend.manifest import SERVICE
from meshconfig.cluster.objects import key
from meshconfig.istio import Resources
from meshconfig.simulate import ANY_GATEWAY, Destination, DirectResponse, Failure, Index, Request, simulate

LABELS = ("prod", *LANES, "v9", "anew")
BASE = [
    *(service(f"{name}-svc") for name in SERVICES),
    *(deployment(f"{name}-svc", label) for name in SERVICES for label in LABELS),
]
BARE = {f"{name}-svc" for name in SERVICES}
HOSTS = tuple(f"{name}-svc.demo.svc.cluster.local" for name in SERVICES)


def manifests_of(state, kind, mesh=None):
    """The manifests of a kind; of VirtualServices those between services, or those at gateways."""
    found = [one for name, one in state.items() if name.kind == kind]
    return found if mesh is None else [one for one in found if (one["spec"]["gateways"] == ["mesh"]) is mesh]


def _of_gateway_api(state, *kinds):
    return [one for name, one in state.items() if name.kind in kinds]


def is_outside(host):
    """Whether a host is outside the mesh."""
    return not host.endswith(".svc.cluster.local")


def _in_mesh(route):
    return route["spec"]["parentRefs"][0]["kind"] in ("Service", "ServiceEntry")


def _host_of(route):
    """The host of a route between services; a ServiceEntry has the name of its host."""
    parent = route["spec"]["parentRefs"][0]
    return parent["name"] if parent["kind"] == "ServiceEntry" else f"{parent['name']}.demo.svc.cluster.local"


def routes_between(state):
    """The resources with the routes of each host, in the order in which they were made."""
    found = {one["spec"]["hosts"][0]: [one] for one in manifests_of(state, "VirtualService", mesh=True)}
    for one in _of_gateway_api(state, "HTTPRoute", "GRPCRoute"):
        if _in_mesh(one):
            found.setdefault(_host_of(one), []).append(one)
    return found


def versions_of(state):
    """The resources that say which Pods the versions of each host have; of any host outside, those of all of them."""
    found = {one["spec"]["host"]: [one] for one in manifests_of(state, "DestinationRule")}
    for one in _of_gateway_api(state, "Service"):
        found.setdefault(f"{_service_of(one)}.demo.svc.cluster.local", []).append(one)
    entries = manifests_of(state, "ServiceEntry")
    outside = [*entries, *(one for host, several in found.items() if is_outside(host) for one in several)]
    return {**found, **dict.fromkeys((one["spec"]["hosts"][0] for one in entries), outside)}


def _service_of(service):
    """The service that a version's Service belongs to, or one without Pods."""
    return service["metadata"]["labels"].get(SERVICE) or service["metadata"]["name"].partition("--")[0]


def _pods(manifests):
    """Of each version's Service, by host, its service and its selector."""
    services = [one for one in manifests if one["kind"] == "Service"]
    return {
        f"{one['metadata']['name']}.demo.svc.cluster.local": (
            _service_of(one),
            tuple(one["spec"].get("selector", {}).items()),
        )
        for one in services
    }


def destinations(virtual_service):
    """Every destination of a VirtualService, mirrors included."""
    for route in virtual_service["spec"]["http"]:
        for one in (*route.get("route", ()), *route.get("mirrors", ())):
            yield one["destination"]
        if "mirror" in route:
            yield route["mirror"]


@lru_cache(maxsize=4096)
def decision(manifests, request):
    """What these resources (as JSON) and those that are always there do to a request."""
    return simulate(_index(manifests), request)


@lru_cache(maxsize=1024)
def _index(manifests):
    return Index(Resources.parse([*json.loads(manifests), *BASE]))


NO_PODS = {}


def what(outcome, pods=NO_PODS):
    """An outcome without what a change of names alone would change.

    Parameters:
        pods: of each version's Service, by host, its service and its selector.
    """
    match outcome:
        case Destination() as one if one.host in pods:
            return "to", *pods[one.host], one.path
        case Destination() as one if is_outside(one.host):
            told = tuple(pair for pair in one.headers if pair[0] in ("env", "baggage"))  # what leaves the mesh
            return "to", one.host, one.authority, one.path, told
        case Destination() as one:
            return "to", one.host, one.labels, one.prefers, one.path
        case DirectResponse() as one:
            return one.status, one.body
        case Failure() as one:
            return (404,) if one.status in (0, 404) else (one.status, one.why)  # nobody is at home, in any words
    return (str(outcome),)


def shares(decision, pods=NO_PODS):
    """The distribution of a decision."""
    found = {}
    for share in decision.shares:
        one = what(share.outcome, pods)
        found[one] = found.get(one, 0) + share.probability
    return frozenset(found.items())


@dataclass(frozen=True)
class Asked:
    """One request from outside. `dropped`: a header that services do not pass on."""

    host: str
    method: str
    path: str
    headers: tuple
    dropped: str = ""

    def at_entry(self, state):
        between = [one for several in routes_between(state).values() for one in several]
        rules = [one for one in state.values() if one not in between]
        return decision(
            json.dumps(rules), Request(self.host, self.path, self.method, self.headers, gateway=ANY_GATEWAY)
        )

    def at_hop(self, host, manifests, headers):
        passed_on = tuple(pair for pair in headers if pair[0] != self.dropped)
        port = 80 if is_outside(host) else 9001
        request = Request(host, self.path, self.method, passed_on, source_namespace="demo", port=port)
        return shares(decision(manifests, request), _pods(json.loads(manifests)))


@st.composite
def from_outside(draw):
    """A request from outside, through services that pass on the header, or baggage, or both."""
    host, method, path, headers = draw(asked())
    return Asked(host, method, path, headers, draw(st.sampled_from(("", "", "baggage", "env"))))


def covered(one, values):
    """Whether plans promise something to a request, whose services pass on what they do: a service that drops the
    header needs `tag.baggage`, and the member, which `keep` may leave out."""
    specs = [value["spec"] for value in values]
    kept = any(entry["baggage"] == "keep" for spec in specs for entry in spec["entries"])
    return one.dropped != "env" or (all(spec["tag"]["baggage"] for spec in specs) and not kept)


@dataclass(frozen=True)
class Moment:
    """A state and what was waited for after it. `partial`: states while it was being written."""

    state: Mapping
    barrier: bool = True
    drain: bool = True
    partial: tuple = ()
    hosts: frozenset = frozenset(HOSTS)
    times: int = 1
    by_host: dict = field(default_factory=dict)

    def of_host(self, host):
        """The resources with the routes of a host, and those with its versions."""
        if host not in self.by_host:
            routes, rules = routes_between(self.state), versions_of(self.state)
            there = {*HOSTS, *routes, *rules, host}
            self.by_host.update({one: (routes.get(one, ()), rules.get(one, ())) for one in there})
        return self.by_host[host]


def writes(step):
    """A step's writes and deletes in order, as functions of a state."""
    for wave in step.waves:
        yield [lambda state, one=one: {**state, key(one): one} for one in wave]
    yield [
        lambda state, name=name: {other: one for other, one in state.items() if other != name} for name in step.deletes
    ]


def cut(random, state, step, count):
    """The state after the first `count` writes of a step, those of a wave in any order."""
    for wave in writes(step):
        for write in random.sample(wave, len(wave)):
            if count == 0:
                return state
            state, count = write(state), count - 1
    return state


def calls_in(plan, live, wanted, called):
    """The hosts that a chain may visit between services, while this plan runs.

    A host outside that comes or goes with the change is none of them, as no proxy knows it before or after.
    """
    if called is None:
        return frozenset(HOSTS)
    mesh, kept = (set(routes_between(state)) for state in (live, wanted))
    hosts = frozenset(called | (mesh - kept))
    return frozenset(one for one in hosts if not is_outside(one) or one in mesh & kept)


def window(timeline, number):
    """The moments whose resources proxies may have while moment `number` is brought about."""
    first = max(before for before in range(number) if timeline[before].barrier)
    return range(first, number + 1)


def ends(timeline, number):
    """The last moment during which a request may be under way that came in while `number` was brought about."""
    return next((at for at in range(number, len(timeline)) if timeline[at].drain), len(timeline) - 1)


def chains(asked, entry_state, manifests, times):
    """All that a request may meet: (the shares at the entry, where it went, the shares at each hop).

    Parameters:
        manifests: for each host, what may decide there, its routes and its versions, as JSON.
    """
    entered, pods = asked.at_entry(entry_state), _pods(entry_state.values())
    at_entry = shares(entered, pods)
    for share in entered.shares:
        # A request that has left the mesh calls nobody in it.
        if not isinstance(share.outcome, Destination) or is_outside(share.outcome.host):
            yield at_entry, what(share.outcome, pods), ()
            continue
        met = [
            {asked.at_hop(host, one, share.outcome.headers) for one in found}
            for host, found in manifests
            for _ in range(times)
        ]
        for combination in itertools.islice(itertools.product(*met), 256):
            yield at_entry, what(share.outcome, pods), combination


def _manifests(hosts, pairs):
    """For each host the distinct manifests of pairs of moments: one whose routes, one whose subsets count."""
    return [
        (
            host,
            {json.dumps([*routes.of_host(host)[0], *rules.of_host(host)[1]]) for routes, rules in pairs},
        )
        for host in sorted(hosts)
    ]


def mixed(timeline, pure, asked):
    """The chains that no one configuration explains: none, if the plans are right.

    Parameters:
        timeline: moments, the first all settled.
        pure: the states between which there is no third.
    """
    for number in range(1, len(timeline)):
        last = ends(timeline, number)
        spanned = timeline[window(timeline, number)[1] : last + 1]  # what a direct change began may still go on
        hosts = frozenset.intersection(*(one.hosts for one in spanned))
        times = min(one.times for one in spanned)
        pairs = [
            (timeline[one], timeline[other])
            for at in range(number, last + 1)
            for one in window(timeline, at)
            for other in window(timeline, at)
        ]
        allowed = {
            chain
            for state in pure
            for alone in [Moment(state)]
            for chain in chains(asked, state, _manifests(hosts, [(alone, alone)]), times)
        }
        met = _manifests(hosts, pairs)
        entries = [timeline[one].state for one in window(timeline, number)]
        entries += [state for one in list(window(timeline, number))[1:] for state in timeline[one].partial]
        for state in entries:
            for chain in chains(asked, state, met, times):
                if chain not in allowed:
                    yield number, chain


def _granted(ref, state):
    """Whether a ReferenceGrant lets routes lead to a Service of another namespace."""
    grants = manifests_of(state, "ReferenceGrant")
    named = [to for one in grants if one["metadata"]["namespace"] == ref["namespace"] for to in one["spec"]["to"]]
    return any(to.get("name") in (None, ref["name"]) for to in named)


def lost(timeline):
    """Routes to a subset that a proxy may not have while it has the route."""
    for number in range(1, len(timeline)):
        moments = [timeline[one] for one in window(timeline, number)]
        for routes, rules in itertools.product(moments, moments):
            known = {
                (rule["spec"]["host"], one["name"])
                for rule in manifests_of(rules.state, "DestinationRule")
                for one in rule["spec"].get("subsets", ())
            }
            for manifest in manifests_of(routes.state, "VirtualService"):
                for one in destinations(manifest):
                    if one.get("subset") and (one["host"], one["subset"]) not in known:
                        yield number, manifest["metadata"]["name"], one
            services = {one["metadata"]["name"] for one in _of_gateway_api(rules.state, "Service")}
            outside = {host for one in manifests_of(rules.state, "ServiceEntry") for host in one["spec"]["hosts"]}
            for manifest in _of_gateway_api(routes.state, "HTTPRoute", "GRPCRoute"):
                for rule in manifest["spec"]["rules"]:
                    for one in rule.get("backendRefs", ()):
                        if not _in_mesh(manifest) and one.get("namespace") and not _granted(one, rules.state):
                            yield number, manifest["metadata"]["name"], "not granted", one
                        if one["name"] not in (outside if one.get("kind") == "Hostname" else services | BARE):
                            yield number, manifest["metadata"]["name"], one
