"""Routes of a delegate VirtualService, merged as pilot merges them. Checked against a real istiod."""

import pytest
from istio_world import at_gateway, manifest, says, to, virtual_service, who, world


def delegate(name, *http, namespace="demo", **spec):
    return manifest("VirtualService", name, {"http": list(http), **spec}, namespace)


def root(*match, name="", **more):
    return {"name": name, "delegate": {"name": "sub", **more}, **({"match": list(match)} if match else {})}


def ask(root_route, *sub_routes, path="/", headers=(), namespace="demo", **request):
    sub = delegate("sub", *sub_routes, namespace=namespace)
    return at_gateway(world(virtual_service("vs", root_route, says(299)), sub), path, headers, **request)


def test_both_matches_have_to_hold():
    route = root({"uri": {"prefix": "/a"}, "headers": {"t": {"exact": "1"}}})
    sub = says(201, {"uri": {"prefix": "/a/b"}})
    assert who(ask(route, sub, path="/a/b", headers=[("t", "1")])) == 201
    assert who(ask(route, sub, path="/a/b")) == 299
    assert who(ask(route, sub, path="/a", headers=[("t", "1")])) == 299


def test_without_a_match_of_its_own_it_has_the_roots():
    assert who(ask(root({"uri": {"prefix": "/a"}}), says(201), path="/a")) == 201
    assert who(ask(root({"uri": {"prefix": "/a"}}), says(201), path="/b")) == 299


CONFLICTS = [
    ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}),
    ({"uri": {"prefix": "/a/b"}}, {"uri": {"prefix": "/a"}}),
    ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}),
    ({"uri": {"prefix": "/a"}}, {"uri": {"regex": "/a.*"}}),
    ({"headers": {"t": {"exact": "1"}}}, {"headers": {"t": {"exact": "2"}}}),
    ({"uri": {"prefix": "/a"}, "ignoreUriCase": True}, {"uri": {"prefix": "/a"}}),
    ({"uri": {"regex": "/a.*"}}, {"uri": {"prefix": "/a"}}),
    ({"uri": {"regex": "/a.*"}}, {"uri": {"regex": "/a.*"}}),
    ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a/b"}}),
    ({"headers": {"t": {}}}, {"headers": {"t": {"exact": "2"}}}),
    ({"queryParams": {"t": {"exact": "1"}}}, {"queryParams": {"t": {"exact": "2"}}}),
    ({"withoutHeaders": {"t": {"exact": "1"}}}, {"withoutHeaders": {"t": {"exact": "2"}}}),
    ({"port": 80}, {"port": 81}),
    ({"sourceNamespace": "istio-system"}, {"uri": {"prefix": "/a"}}),
    ({"gateways": ["gw"]}, {"gateways": ["gw", "mesh"]}),
    ({"sourceLabels": {"istio": "a"}}, {"sourceLabels": {"istio": "b"}}),
]


FITS = [
    ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a/b"}}),
    ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a/b"}}),
    ({"uri": {"exact": "/a/b"}}, {"uri": {"exact": "/a/b"}}),
    ({"uri": {"regex": "/a.*"}}, {"method": {"exact": "GET"}}),
    ({"method": {"exact": "GET"}}, {"uri": {"regex": "/a.*"}}),
    ({"headers": {"t": {"exact": "2"}}}, {"withoutHeaders": {"u": {}}}),
    ({"port": 80}, {"port": 80}),
    ({"uri": {"prefix": "/a"}}, {"port": 80}),
    ({"gateways": ["gw", "mesh"]}, {"gateways": ["gw"]}),
    ({"gateways": ["gw"]}, {"uri": {"prefix": "/a"}}),
    ({"sourceNamespace": "istio-system"}, {"sourceNamespace": "istio-system"}),
    ({"sourceLabels": {"istio": "ingressgateway"}}, {"sourceLabels": {"istio": "ingressgateway"}}),
]


@pytest.mark.parametrize(("ours", "theirs"), FITS)
def test_a_match_within_the_roots_is_taken(ours, theirs):
    assert who(ask(root(ours), says(201, theirs), path="/a/b", headers=[("t", "2")])) == 201


@pytest.mark.parametrize(("ours", "theirs"), CONFLICTS)
def test_a_match_that_is_not_within_the_roots_is_left_out(ours, theirs):
    decision = ask(root(ours), says(201, theirs), path="/a/b", headers=[("t", "2")])
    assert who(decision) == 299
    assert "in conflict" in str(decision.skipped[0])


def test_of_several_root_matches_those_that_fit_are_taken():
    route = root({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}})
    assert who(ask(route, says(201, {"uri": {"exact": "/b/c"}}), path="/b/c")) == 201


def test_what_the_delegate_leaves_open_comes_from_the_root():
    route = {
        **root(),
        "headers": {"request": {"set": {"x": "root"}}},
        "rewrite": {"uri": "/r"},
        "mirror": {"host": "mouse"},
    }
    inherits = ask(route, to("prod")).outcome
    assert (inherits.headers, inherits.path) == ((("x", "root"),), "/r")
    own = ask(route, to("prod", headers={"request": {"set": {"x": "sub"}}}, rewrite={"uri": "/s"})).outcome
    assert (own.headers, own.path) == ((("x", "sub"),), "/s")


def test_short_names_mean_the_namespace_that_they_are_written_in():
    route = {**root(namespace="other"), "mirror": {"host": "cat"}}
    decision = ask(route, {"route": [{"destination": {"host": "dog"}}]}, namespace="other")
    assert decision.outcome.host == "dog.other.svc.cluster.local"
    assert decision.mirrors[0].host == "cat.demo.svc.cluster.local"


def test_the_decision_names_root_and_delegate():
    route = ask(root(name="root"), says(201, {"uri": {"prefix": "/a"}}, name="x"), says(202, name="y")).route
    assert (route.virtual_service, route.index, route.delegate, route.delegate_index) == ("demo/vs", 0, "demo/sub", 1)
    assert route.name == "root-y"


def test_a_delegate_that_is_missing_or_not_exported_is_passed_over():
    missing = at_gateway(world(virtual_service("vs", root(), says(299))))
    assert who(missing) == 299
    assert str(missing.skipped[0]) == "delegate: demo/sub, absent"
    hidden = delegate("sub", says(201), namespace="other", exportTo=["."])
    kept = at_gateway(world(virtual_service("vs", root(namespace="other"), says(299)), hidden))
    assert str(kept.skipped[0]) == "delegate other/sub: exported to demo ≠ ."


def test_a_delegate_that_delegates_is_not_guessed_at():
    decision = ask(root(), {"delegate": {"name": "third"}})
    assert decision.undecided == ("a delegate delegates again",)
