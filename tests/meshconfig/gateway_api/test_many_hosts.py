"""An entry with more hosts than one HTTPRoute takes: several HTTPRoutes, and none of its hosts is ever without one."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moving_world import API_GATEWAY
from plan_world import cut
from two_backends import compiled, gateway_request

from meshconfig.cluster.change.prepare import described_tables, steps_to
from meshconfig.cluster.lowering import lowering, resources
from meshconfig.cluster.objects import state
from meshconfig.istio import Resources
from meshconfig.simulate import Index, simulate

MOST = 16
ALL = [f"h{number:02}.example.com" for number in range(40)]
QUICK = settings(suppress_health_check=list(HealthCheck), max_examples=20, deadline=None)
VERSIONS = {name: {"labels": {"env": name}} for name in ("prod", "gray", "v9")}
MANY = st.lists(st.sampled_from(ALL), min_size=MOST - 2, max_size=len(ALL), unique=True)
FEW = st.sets(st.sampled_from(ALL), min_size=1, max_size=4)


def rendered(hosts, version="gray", more=0):
    """(resources, model) of a group whose lane gray has this version of its service; `more` lanes beside it."""
    cat = {"host": "cat-svc", "port": 9001, "selector": {"app": "cat"}, "versions": VERSIONS}
    entry = {"hosts": hosts, "gateway": {"use": "istio-system/edge"}, "routes": [{"service": "cat"}]}
    lanes = {"prod": {}, "gray": {"versions": {"cat": version}}, **{f"l{number}": {} for number in range(more)}}
    metadata = {"name": "pets", "namespace": "demo"}
    value = {"apiVersion": "graylane/v1", "kind": "LaneGroup", "metadata": metadata}
    model = compiled({**value, "spec": {"lanes": lanes, "services": {"cat": cat}, "entries": [entry]}}, "gateway")
    return state(resources(model, "v1")), model


def hostnames(live):
    """The hosts of each HTTPRoute of the entry, by its name."""
    routes = {name.name: one["spec"] for name, one in live.items() if name.kind == "HTTPRoute"}
    return {name: one["hostnames"] for name, one in routes.items() if "hostnames" in one}


def test_up_to_sixteen_hosts_are_one_http_route_in_the_order_of_the_spec():
    hosts = ALL[15::-1]
    assert hostnames(rendered(hosts)[0]) == {"h15-example-com": hosts}


def test_more_are_several_with_the_same_rules():
    live, _ = rendered(ALL)
    assert hostnames(live) == {
        "h00-example-com": ALL[:16],
        "h00-example-com.hosts-2": ALL[16:32],
        "h00-example-com.hosts-3": ALL[32:],
    }
    first, *others = [one["spec"]["rules"] for name, one in live.items() if name.name in hostnames(live)]
    assert others == [first, first]


def planned(live, model):
    lower = lowering(model, "v1")
    return steps_to(described_tables(model, lower), live, model, lower, fast=False, settled=True)


def each_write(random, made, live):
    """The states after each write of a plan, those of one wave in any order."""
    for step in made.steps:
        for count in range(1, 1 + sum(map(len, step.waves)) + len(step.deletes)):
            yield cut(random, live, step, count)
        live = step.after(live)


def led(live, host, tag):
    """Where a request with this tag goes."""
    index = Index(Resources.parse([API_GATEWAY, *live.values()]))
    decision = simulate(index, gateway_request(host, "GET", "/", (("env", tag),)))
    return {getattr(share.outcome, "host", share.outcome) for share in decision.shares}


@QUICK
@given(MANY, FEW, st.sampled_from(("gray", "v9")), st.sampled_from((0, 0, 20)), st.integers(0))
def test_hosts_that_stay_are_decided_by_the_old_or_the_new_routes_at_each_write(before, others, version, more, seed):
    first, *rest = before  # the entry's resources are named after its first host
    after = [first, *(one for one in rest if one not in others), *sorted(others - {*before})]
    (live, _), (wanted, model) = rendered(before, "gray", more), rendered(after, version, more)
    made = planned(live, model)
    assert (made.states(live)[-1] if made.steps else live) == wanted
    assert all(len(hosts) <= MOST for hosts in hostnames(wanted).values())
    staying = {*before} & {*after}
    places = [{host: name for name, hosts in hostnames(one).items() for host in hosts} for one in (live, wanted)]
    crossing = sorted(host for host in staying if places[0][host] != places[1][host])[:2]
    allowed = {host: [led(one, host, "gray") for one in (live, wanted)] for host in crossing}
    for now in each_write(Random(seed), made, live):
        assert staying <= {host for hosts in hostnames(now).values() for host in hosts}
        for host in crossing:
            assert led(now, host, "gray") in allowed[host]


def test_a_host_that_goes_makes_others_cross_from_one_http_route_to_the_one_before():
    (live, _), (_, model) = rendered(ALL), rendered([*ALL[:3], *ALL[4:]])
    written = [one["metadata"]["name"] for step in planned(live, model).steps for wave in step.waves for one in wave]
    assert written == ["h00-example-com", "h00-example-com.hosts-2", "h00-example-com.hosts-3"]
    (live, _), (_, model) = rendered([*ALL[:3], *ALL[4:]]), rendered(ALL)
    written = [one["metadata"]["name"] for step in planned(live, model).steps for wave in step.waves for one in wave]
    assert written == ["h00-example-com.hosts-3", "h00-example-com.hosts-2", "h00-example-com"]
