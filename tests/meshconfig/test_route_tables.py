"""Route tables: what a backend lowers, it lifts again, and nothing of a live resource is lost or changed on the way."""

import copy

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from random_specs import specs

from meshconfig.backend import Owner, backend
from meshconfig.backend.istio.route_names import route_id, route_name
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.model import Condition, RouteId, RouteKind, StringMatch
from meshconfig.render import owner, render, to_yaml
from meshconfig.spec import LaneGroup

OWNER = Owner("pets", "env")
ODD_LANES = ("default", "rule-1", "rule-12", "admit-1", "rule-0", "rule-01", "next", "next2", "lane", "gray", "Default")


def model(value):
    try:
        return compile_group(LaneGroup.model_validate(value))
    except InputError:
        return None


# --- lower and lift ---------------------------------------------------------------------------------------------------


@given(specs())
def test_what_is_lowered_is_lifted_as_the_same_table(value):
    compiled = model(value)
    assume(compiled)
    tables = compiled.routing()
    lifted = backend().lift(render([compiled]), compiled.tag)
    for made, found in ((tables.mesh, lifted.mesh), (tables.entries, lifted.entries)):
        assert made.keys() == found.keys()
        for name, table in made.items():
            assert found[name].routes == table.routes
            assert (found[name].hosts, found[name].gateways) == (table.hosts, table.gateways)
    for name, table in tables.subsets.items():
        assert [(one.name, one.labels, one.failover) for one in lifted.subsets[name].subsets] == [
            (one.name, one.labels, one.failover) for one in table.subsets
        ]
    assert [one for table in lifted.tables for one in backend().lower(table, owner(compiled))] == render([compiled])


words = st.sampled_from(("env=gray", "env=", "gray", "prod", "gray.next", "a,b", "é", "default", "rule-1", "", "x y"))
headers = st.sampled_from(("env", "baggage", "Env", "user", "@request.auth.claims.sub"))
strings = st.one_of(
    st.just({}),
    st.builds(lambda kind, word: {kind: word}, st.sampled_from(("exact", "prefix", "regex")), words),
    st.just({"exact": "a", "prefix": "b"}),
)
operations = st.fixed_dictionaries(
    {},
    optional={
        "set": st.dictionaries(headers, words, max_size=2),
        "add": st.dictionaries(headers, words, max_size=2),
        "remove": st.lists(headers, max_size=3),
    },
)
changes = st.fixed_dictionaries({}, optional={"request": operations, "response": operations})
destinations = st.fixed_dictionaries(
    {"host": st.sampled_from(("cat", "cat.demo.svc.cluster.local"))},
    optional={"subset": words, "port": st.sampled_from(({"number": 9001}, {}))},
)
live_targets = st.fixed_dictionaries(
    {"destination": destinations}, optional={"weight": st.integers(0, 100), "headers": changes}
)
live_matches = st.fixed_dictionaries(
    {},
    optional={
        "name": words,
        "uri": strings,
        "ignoreUriCase": st.booleans(),
        "method": strings,
        "scheme": strings,
        "headers": st.dictionaries(headers, strings, max_size=2),
        "withoutHeaders": st.dictionaries(headers, strings, max_size=2),
        "queryParams": st.dictionaries(words, strings, max_size=2),
        "port": st.integers(1, 9),
        "sourceLabels": st.dictionaries(words, words, max_size=1),
    },
)
live_routes = st.fixed_dictionaries(
    {},
    optional={
        "name": words,
        "match": st.lists(live_matches, max_size=2),
        "route": st.lists(live_targets, max_size=3),
        "directResponse": st.sampled_from(
            ({"status": 503, "body": {"string": "no"}}, {"status": 503}, {"status": 404, "body": {"string": "no"}})
        ),
        "rewrite": st.sampled_from(({"uri": "/a"}, {"authority": "b"}, {"uri": "/a", "authority": "b"}, {})),
        "timeout": words,
        "headers": changes,
        "mirror": destinations,
        "unknownField": st.just([{"a": None}]),
    },
)
spec_parts = {
    "hosts": st.lists(words, max_size=2),
    "gateways": st.lists(st.sampled_from(("mesh", "demo/cat")), max_size=2),
    "http": st.lists(live_routes, max_size=3),
    "exportTo": st.just(["."]),
    "tcp": st.just([]),
}


@given(st.fixed_dictionaries({}, optional=spec_parts))
def test_nothing_of_a_live_virtual_service_is_lost(spec):
    manifest = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "cat", "namespace": "demo", "labels": {"a": "b"}, "annotations": {"by": "hand"}},
        "spec": spec,
    }
    before = copy.deepcopy(manifest)
    lifted = backend().lift([manifest], "env")
    (table,) = lifted.route_tables
    assert backend().lower(table, OWNER) == [before]
    assert manifest == before


live_policies = st.fixed_dictionaries(
    {},
    optional={
        "loadBalancer": st.sampled_from(
            (
                {"simple": "RANDOM"},
                {"localityLbSetting": {"enabled": True, "failoverPriority": ["env=gray"]}},
                {"simple": "RANDOM", "localityLbSetting": {"enabled": True, "failoverPriority": ["env"]}},
                {"localityLbSetting": {"enabled": False}},
            )
        ),
        "outlierDetection": st.just({"interval": "1s"}),
    },
)
live_subsets = st.fixed_dictionaries(
    {"name": words},
    optional={"labels": st.dictionaries(words, words, max_size=2), "trafficPolicy": live_policies},
)


@given(
    st.fixed_dictionaries(
        {"host": words},
        optional={
            "subsets": st.lists(live_subsets, max_size=3),
            "trafficPolicy": live_policies,
            "exportTo": st.just([]),
        },
    )
)
def test_nothing_of_a_live_destination_rule_is_lost(spec):
    manifest = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "cat", "namespace": "demo"},
        "spec": spec,
    }
    (table,) = backend().lift([copy.deepcopy(manifest)], "env").subsets.values()
    assert backend().lower(table, OWNER) == [manifest]


def test_a_tag_match_that_has_no_plain_shape_is_seen_all_the_same():
    match = {"headers": {"env": {"exact": "a", "prefix": "b"}}}
    spec = {"hosts": ["cat"], "http": [{"match": [match], "route": [{"destination": {"host": "cat"}}]}]}
    manifest = {"kind": "VirtualService", "metadata": {"name": "c", "namespace": "d"}, "spec": spec}
    (table,) = backend().lift([manifest], "env").route_tables
    assert table.routes[0].conditions == (
        Condition(headers=(("env", StringMatch("other", '{"exact": "a", "prefix": "b"}')),)),
    )


# --- names ------------------------------------------------------------------------------------------------------------

lane_names = st.one_of(
    st.sampled_from(ODD_LANES), st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,9}[A-Za-z0-9])?", fullmatch=True)
)
numbers = st.integers(1, 99).map(str)
generations = st.sampled_from(("", "next", "next2"))
ids = st.one_of(
    st.builds(RouteId, st.just(RouteKind.LANE), lane_names, generations),
    st.builds(RouteId, st.sampled_from((RouteKind.ADMIT, RouteKind.RULE)), numbers, generations),
    st.builds(RouteId, st.just(RouteKind.DEFAULT), st.just(""), generations),
)


@given(ids)
def test_a_name_tells_which_route_it_is(identity):
    assert route_id(route_name(identity)) == identity


@given(ids, ids)
def test_two_routes_never_share_a_name(one, other):
    assert one == other or route_name(one) != route_name(other)


@given(st.text(max_size=12))
def test_any_name_of_a_live_route_is_kept(name):
    assert route_name(route_id(name)) == name


def test_only_a_lane_whose_name_stands_for_another_route_is_named_otherwise():
    named = {lane: route_name(RouteId(RouteKind.LANE, lane)) for lane in ODD_LANES}
    assert {lane for lane, name in named.items() if name != lane} == {"default", "rule-1", "rule-12", "admit-1"}


# --- lanes that are called as other routes are ------------------------------------------------------------------------

ODD = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, %(lane)s: {versions: {cat: gray}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}, old: {labels: {env: old}}}
      rules: [{match: {headers: {user: {exact: ann}}}, weights: {old: 1}}]
      weights: {prod: 3, old: 1}
  entries:
    - hosts: [cat.example.com]
      admit: [{lane: %(lane)s, match: {headers: {team: {exact: a}}}}]
      routes: [{path: {prefix: /}, service: cat}]
"""


@pytest.mark.parametrize("lane", ["default", "rule-1", "admit-1"])
def test_lint_and_explain_know_a_lane_from_the_route_it_is_called_after(lane, graylane, tmp_path):
    spec = tmp_path / "graylane.yaml"
    spec.write_text(ODD % {"lane": lane})
    code, out, err = graylane("lint", spec)
    assert code in (0, 1)
    assert "Traceback" not in err
    code, out, _ = graylane("explain", "-f", spec, "--host", "cat.example.com", "-H", f"env:{lane}")
    assert code == 0
    assert f"yes lane:{lane}" in out
    assert "cat / gray" in out


@pytest.mark.parametrize("lane", ["default", "rule-1", "admit-1"])
def test_each_route_of_an_odd_lane_has_a_name_of_its_own(lane):
    (group,) = groups(parse(ODD % {"lane": lane}, "graylane.yaml"))
    for table in group.model.routing().route_tables:
        (manifest,) = backend().lower(table, owner(group.model))
        names = [route["name"] for route in manifest["spec"]["http"]]
        assert len({*names}) == len(names)


# --- the order of keys ------------------------------------------------------------------------------------------------


def _shuffled(random, value):
    if isinstance(value, dict):
        names = random.sample(list(value), len(value))
        return {name: _shuffled(random, value[name]) for name in names}
    return [_shuffled(random, one) for one in value] if isinstance(value, list) else value


@pytest.mark.slow
@given(specs(), st.randoms(use_true_random=False))
def test_the_order_of_a_specs_keys_means_nothing(value, random):
    value["spec"]["services"][next(iter(value["spec"]["services"]))]["policy"] = {
        "headers": {"request": {"set": {"b": "1", "a": "2"}}},
        "retries": {"attempts": 1, "perTryTimeout": "1s"},
    }
    compiled = model(value)
    assume(compiled)
    other = model(_shuffled(random, value))
    assert to_yaml(render([compiled])) == to_yaml(render([other]))


def test_the_order_of_keys_is_not_the_order_of_items():
    value = yaml.safe_load(ODD % {"lane": "gray"})
    value["spec"]["services"]["cat"]["rules"].append(
        {"match": {"headers": {"user": {"exact": "bob"}}}, "weights": {"prod": 1}}
    )
    (first,) = model(value).services
    assert [route.id.key for route in first.routes if route.id.kind is RouteKind.RULE] == ["1", "2"]
    assert [route.conditions[0].headers[0][1].value for route in first.routes if route.id.kind is RouteKind.RULE] == [
        "ann",
        "bob",
    ]
