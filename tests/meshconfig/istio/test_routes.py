"""A VirtualService's routes with those of its delegates.

Source: Istio, Delegate, and pilot virtualservice_test.go (TestMergeVirtualServices). What pilot makes of each pair of
matches is in tests/meshconfig/simulate/test_delegate_routes.py.
"""

from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import Resources
from meshconfig.istio.routes import conflicts, routes
from meshconfig.istio.types import HTTPMatchRequest


def virtual_service(name, *http, namespace="demo", **spec):
    metadata = {"name": name, "namespace": namespace}
    spec = {"http": list(http), **spec}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def to(host, **fields):
    return {"route": [{"destination": {"host": host}}], **fields}


def found(root, *delegates):
    parsed = Resources.parse([root, *delegates]).virtual_services
    return list(routes(parsed[0], {one.key: one for one in parsed[1:]}))


def hosts(routes):
    return [one.route.route[0].destination.host for one in routes if one.ignored is None]


def test_short_names_are_those_of_the_virtual_service_that_they_stand_in():
    root = virtual_service("root", to("cat"), {"delegate": {"name": "sub", "namespace": "other"}}, hosts=["shop"])
    sub = virtual_service("sub", to("dog", mirror={"host": "owl"}), namespace="other")
    every = found(root, sub)
    assert hosts(every) == ["cat.demo.svc.cluster.local", "dog.other.svc.cluster.local"]
    assert every[1].route.mirror.host == "owl.other.svc.cluster.local"
    assert str(every[1].ref) == "VirtualService demo/root http[1] → other/sub http[0]"


def test_gateways_of_a_match_are_named_in_full():
    (one,) = found(virtual_service("root", to("cat", match=[{"gateways": ["gw", "mesh"]}]), hosts=["shop"]))
    assert one.route.match[0].gateways == ("demo/gw", "mesh")


def test_a_delegate_that_is_missing_or_not_exported_is_left_out():
    (missing,) = found(virtual_service("root", {"delegate": {"name": "sub"}}, hosts=["shop"]))
    assert str(missing.ignored) == "delegate: demo/sub, absent"
    root = virtual_service("root", {"delegate": {"name": "sub", "namespace": "other"}}, hosts=["shop"])
    (private,) = found(root, virtual_service("sub", to("dog"), namespace="other", exportTo=["."]))
    assert private.ignored
    assert hosts(found(root, virtual_service("sub", to("dog"), namespace="other", exportTo=["demo"])))


def test_a_delegates_route_has_its_own_fields_and_else_the_roots():
    root = virtual_service(
        "root", {"name": "r", "delegate": {"name": "sub"}, "timeout": "1s", "fault": {"abort": {}}}, hosts=["shop"]
    )
    (one,) = found(root, virtual_service("sub", to("dog", name="s", timeout="2s")))
    assert (one.route.name, one.route.timeout, one.route.fault) == ("r-s", "2s", {"abort": {}})


def test_matches_are_joined_one_by_one():
    root = virtual_service(
        "root", {"delegate": {"name": "sub"}, "match": [{"uri": {"prefix": "/a"}}, {"port": 80}]}, hosts=["shop"]
    )
    (one,) = found(root, virtual_service("sub", to("dog", match=[{"method": {"exact": "GET"}}])))
    joined = [(each.uri and each.uri.prefix, each.port, each.method.exact) for each in one.route.match]
    assert joined == [("/a", None, "GET"), (None, 80, "GET")]
    (none,) = found(root, virtual_service("sub", to("dog", match=[{"uri": {"prefix": "/b"}, "port": 81}])))
    assert none.ignored


TEXTS = st.sampled_from([{"exact": "/a"}, {"prefix": "/"}, {"prefix": "/a"}, {"regex": "/a.*"}])
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": TEXTS,
        "headers": st.dictionaries(st.sampled_from("ab"), TEXTS),
        "port": st.sampled_from([80, 81]),
        "ignoreUriCase": st.booleans(),
    },
).map(HTTPMatchRequest.model_validate)


@given(MATCHES)
def test_nothing_conflicts_with_a_match_that_asks_for_nothing(one):
    assert conflicts(HTTPMatchRequest(), one) is one.ignore_uri_case
    assert not conflicts(one, HTTPMatchRequest(ignore_uri_case=one.ignore_uri_case))
