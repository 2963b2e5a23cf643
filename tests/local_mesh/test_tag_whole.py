"""Whatever a client sends, a chain is whole: each hop sees the lane that the entry chose, in header and member alike.

A real Envoy routes; the services between its listeners are played with real stacks (`support/stacks.py`).
"""

import itertools
import json
from dataclasses import replace
from functools import cache

import pytest
from fuzzing import LONG
from golden_plans import planned, read
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stacks import bare, graylane, micrometer, opentelemetry, sleuth
from whole_tag import COOKIE, ENTRIES, INPUTS, LANES, NAMES, Fleet, check, compiled, every_input, spec, tag_of

from meshconfig.cluster.objects import state
from meshconfig.istio import Resources
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources
from meshconfig.simulate import Index

pytestmark = pytest.mark.envoy

GATEWAY = "gateway|80|istio=ingressgateway"


@cache
def given_to_istio(in_baggage):
    found = resources([compiled(spec(in_baggage))])
    return found, Index(found)


def fleet_on(envoy, found, labels=LANES):
    """A fleet whose versions all answer, with these resources on Envoy."""
    hosts = {name: f"{name}-svc.demo.svc.cluster.local" for name in NAMES}
    where = [(name, label) for name in NAMES for label in labels]
    ports = {one: envoy.port_of("/".join(one)) for one in where}
    endpoints = [Endpoint(hosts[name], 9001, {"env": label}, "127.0.0.1", ports[name, label]) for name, label in where]
    envoy.change(translate(found, endpoints))

    def ask(listener, headers):
        said = json.loads(envoy.ask(listener, "/", headers).body)
        return said["who"].partition("/")[2], said["headers"]

    return Fleet(
        lambda host, headers: ask(GATEWAY, [("host", host), *headers]),
        lambda name, headers: ask(mesh_listener(hosts[name], 9001), headers),
    )


@pytest.mark.slow
@pytest.mark.parametrize("in_baggage", [False, True], ids=["header", "baggage"])
@pytest.mark.parametrize(("entry", "given"), list(itertools.product(ENTRIES, INPUTS)))
def test_every_input_at_every_entry(envoy, in_baggage, entry, given):
    found, index = given_to_istio(in_baggage)
    every_input(fleet_on(envoy, found), index, entry, given, in_baggage=in_baggage)


def test_what_an_entry_chooses_reaches_a_first_service_that_reads_baggage_alone(envoy):
    fleet = fleet_on(envoy, given_to_istio(True)[0])
    for headers, lane in (([("env", "gray")], "gray"), ([("env", "blue"), ("baggage", "env=gray")], "blue")):
        met = fleet.ask("trusted-replace.example.com", headers, (opentelemetry,) * 3)
        assert [version for version, _ in met] == [lane] * 3
        assert [dict(seen)["baggage"] for _, seen in met] == [f"env={lane}"] * 3


def test_keep_lets_foreign_members_in_and_none_of_ours(envoy):
    fleet = fleet_on(envoy, given_to_istio(True)[0])

    def baggage_of(*given, host="trusted-keep.example.com"):
        _, seen = fleet.ask(host, given, (graylane,) * 3)[0]
        return [value for name, value in seen if name == "baggage"]

    assert baggage_of(("baggage", "a=b;p=1"), ("env", "gray")) == ["a=b;p=1"]
    assert baggage_of(("baggage", "a=b"), ("baggage", "c=d")) == ["a=b", "c=d"]
    assert baggage_of(("baggage", "a=b;env=gray")) == ["a=b;env=gray"]  # a property, no member
    assert baggage_of(("env", "gray")) == ["env=gray"]
    for ours in ("env=gray,a=b", "a=b, env =gray", "%65nv=gray", "ENV=gray", "+env=gray", "a=b,env=typo", "env="):
        assert baggage_of(("baggage", ours), ("env", "blue")) == ["env=blue"], ours
        assert baggage_of(("baggage", "a=b"), ("baggage", ours), ("env", "blue")) == ["env=blue"], ours
        assert baggage_of(("baggage", ours), host="untrusted-keep.example.com") == ["env=prod"], ours
    for unread in (b"a=\xff", b"a=\xff,env=gray"):
        assert baggage_of(("baggage", unread), ("env", "blue")) == ["env=blue"], unread
    assert baggage_of(("baggage", "a=b"), ("baggage", b"a=\xff,env=gray"), ("env", "blue")) == ["env=blue"]
    assert baggage_of(("baggage", "a=b"), host="trusted-replace.example.com") == []


keys = st.sampled_from(("env", "env", "env", "%65nv", "e%6Ev", "Env", " env ", "xenv", "env2", "a", ""))
lanes = st.sampled_from(("gray", "blue", "prod", "gr%61y", "bl%75e", "typo", "", "gray.next", "gray gray"))
ends = st.sampled_from(("", "", ";ttl=5", " ; a;b", "%3Bpropagation%3Dunlimited", "%3b", "%2Cenv=blue", "x"))
member = st.builds(lambda key, value, end: f"{key}={value}{end}", keys, lanes, ends)
lists = st.lists(st.one_of(member, member, st.sampled_from(("a", "a=b", "=", ";", ""))), max_size=4)
header_values = st.one_of(st.sampled_from(("gray", "blue", "prod", "typo", "", "gray,gray", "GRAY")), lanes)
fields = st.one_of(
    st.tuples(st.just("env"), header_values),
    st.tuples(
        st.just("baggage"), st.builds(lambda given, sign: sign.join(given), lists, st.sampled_from((",", " , ")))
    ),
    st.tuples(st.just("baggage"), st.builds(",".join, lists)),
    st.sampled_from((COOKIE, ("user", "ann"))),
)
hosts = st.builds(
    lambda *parts: "-".join(parts) + ".example.com",
    st.sampled_from(list(ENTRIES)),
    st.sampled_from(("replace", "keep")),
)
played = st.sampled_from((graylane, graylane, micrometer, sleuth, opentelemetry, bare))


@pytest.mark.slow
@pytest.mark.fuzz
@settings(
    max_examples=1000 if LONG else 60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.booleans(), hosts, st.lists(fields, max_size=5), st.tuples(played, played, played))
def test_fuzz_no_chain_is_half_and_explain_says_so(envoy, in_baggage, host, headers, stacks):
    found, index = given_to_istio(in_baggage)
    check(fleet_on(envoy, found), index, host, headers, stacks, in_baggage=in_baggage)


@pytest.mark.slow
@pytest.mark.parametrize("stack", [graylane, micrometer, opentelemetry])
@pytest.mark.parametrize("case", ["lane-remapped-with-baggage", "take-over-with-baggage"])
def test_each_step_of_a_consistent_change_leaves_chains_whole(envoy, stack, case):
    """Each state of a plan is met by every input; a chain is as before or as after, and its tag is one at every hop."""
    model, _ = read(case, "before")
    live, made = planned(case)
    services = resources([model]).services
    asked = [*INPUTS.values(), []]

    def chains(at):
        there = replace(Resources.parse(at.values()), services=services)
        fleet = fleet_on(envoy, there, labels=("prod", "gray", "v3"))
        return [fleet.ask("cat.example.com", headers, (stack,) * 3) for headers in asked]

    states, tags = [state(live), *made.states(state(live))], set()
    before, after = chains(states[0]), chains(states[-1])
    assert before != after
    for at in states[1:-1]:
        for headers, *met in zip(asked, before, after, chains(at), strict=True):
            old, new, now = ([version for version, _ in one] for one in met)
            assert now in (old, new), (headers, now)
            assert len({tag_of(seen) for _, seen in met[2]}) == 1, (headers, met[2])
            tags.add(tag_of(met[2][0][1]))
    assert tags == {None, "gray", "gray.next", "prod.next-default"}
