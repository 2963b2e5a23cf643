"""While several HTTPRoutes of one host change, each request is decided by the old rules or by the new ones."""

from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_backends import compiled

from meshconfig.backend import backend
from meshconfig.backend.gateway import precedence
from meshconfig.backend.gateway.transition import transition
from meshconfig.backend.manifest import Owner
from meshconfig.cluster.objects import key, state
from meshconfig.istio import Resources
from meshconfig.model import Condition, Name, Route, RouteId, RouteKind, RouteTable, StringMatch, Target
from meshconfig.render import render
from meshconfig.simulate import Index, Request, simulate

GATEWAY = backend("gateway")
HOST = "cat-svc.demo.svc.cluster.local"
TAGS, PATHS = ("a", "b", "c", "d", "e"), ("/", "/x", "/x/y")
BASE = [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "demo"}, "spec": spec}
    for name in ("cat-svc", *(f"cat-svc-v{number}" for number in range(9)))
    for spec in [{"ports": [{"name": "http", "port": 9001}], "selector": {"app": name}}]
]


@st.composite
def tables(draw):
    """A route table with more lanes and rules than one HTTPRoute of the test may have."""
    routes = []
    for number, tag in enumerate(draw(st.lists(st.sampled_from(TAGS), unique=True, max_size=5))):
        condition = Condition(headers=(("env", StringMatch("exact", tag)),))
        routes.append(_route(RouteKind.LANE, tag, condition, draw(st.integers(0, 8))))
        assert number < len(TAGS)
    for number, path in enumerate(draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=2)), start=1):
        condition = Condition(path=StringMatch("exact", path))
        routes.append(_route(RouteKind.RULE, str(number), condition, draw(st.integers(0, 8))))
    target = Target(HOST, 9001, f"v{draw(st.integers(0, 8))}")
    default = Route(RouteId(RouteKind.DEFAULT), (), (target,))
    return RouteTable(Name("demo", "cat-svc"), (HOST,), ("mesh",), (*routes, default), port=9001)


def _route(kind, name, condition, version):
    return Route(RouteId(kind, name), (condition,), (Target(HOST, 9001, f"v{version}"),))


def decide(manifests):
    """Where each of all possible requests goes."""
    index = Index(Resources.parse([*manifests, *BASE]))
    found = {}
    for tag in ("", *TAGS):
        for path in PATHS:
            headers = (("env", tag),) if tag else ()
            request = Request(HOST, path, "GET", headers, source_namespace="demo", port=9001)
            found[tag, path] = simulate(index, request).shares[0].outcome
    return found


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
@given(tables(), tables())
def test_each_request_is_decided_by_the_old_rules_or_by_the_new_ones(old, new):
    with mock.patch.object(precedence, "RULES", 3):  # so that a few rules take several HTTPRoutes
        before, after = (state(GATEWAY.lower(one, Owner("g", "env"))) for one in (old, new))
    live, allowed = dict(before), [decide(before.values()), decide(after.values())]
    for wave in GATEWAY.transition([*before.values()], [*after.values()]):
        for one in wave:
            live[key(one)] = one
            now = decide(live.values())
            wrong = [each for each, outcome in now.items() if outcome not in (allowed[0][each], allowed[1][each])]
            assert not wrong, (wrong, key(one))
    gone = [name for name in live if name not in after]
    for name in gone:  # in any order
        del live[name]
        assert decide(live.values()) == allowed[1]
    assert live == after


@settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
@given(tables())
def test_before_several_routes_are_deleted_one_leads_to_all_pods(old):
    with mock.patch.object(precedence, "RULES", 3):
        before = state(GATEWAY.lower(old, Owner("g", "env")))
    live, was = dict(before), decide(before.values())
    for wave in GATEWAY.transition([*before.values()], []):
        live.update({key(one): one for one in wave})
        for each, outcome in decide(live.values()).items():
            assert outcome == was[each] or outcome.host == HOST
    assert len(before) == 1 or {outcome.host for outcome in decide(live.values()).values()} == {HOST}


def test_a_host_outside_that_goes_sends_nobody_to_a_lane_though_a_change_before_was_cut_off():
    """The HTTPRoute that comes first has the rules that ask for most, and none for everybody."""

    def routes(lanes):
        versions = {"prod": {"host": "api.pay.example"}}
        versions |= {f"lane-{number:02}": {"host": f"{number}.pay.example"} for number in range(lanes)}
        pay = {"host": "api.pay.example", "port": 80, "external": {"port": 443, "tls": "SIMPLE"}, "versions": versions}
        cat = {"host": "cat-svc", "port": 80, "calls": ["pay"], "versions": {"prod": {"labels": {"v": "1"}}}}
        spec = {"backend": "gateway", "lanes": {name: {} for name in versions}, "services": {"cat": cat, "pay": pay}}
        metadata = {"name": "pets", "namespace": "demo"}
        value = {"apiVersion": "graylane.dev/v1", "kind": "LaneGroup", "metadata": metadata, "spec": spec}
        made = render([compiled(value, "gateway")])
        named = [one for one in made if one["metadata"]["name"].partition(".example")[0] == "api.pay"]
        return [one for one in named if one["kind"] == "HTTPRoute"]

    first, *_ = transition(routes(20), routes(24))
    there = {one["metadata"]["name"]: one for one in (*routes(20), *first)}
    assert len(there) > len(routes(20))
    last = {one["metadata"]["name"]: one for wave in transition([*there.values()], []) for one in wave}
    (name, *_) = sorted(last)
    (rule,) = last[name]["spec"]["rules"]
    assert [one["name"] for one in rule["backendRefs"]] == ["api.pay.example"]
