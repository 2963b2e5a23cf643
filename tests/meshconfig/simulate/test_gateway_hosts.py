"""Which VirtualServices of a gateway take a host. Everything here was checked against a real istiod and its gateway."""

import pytest
from istio_world import BASE, at_gateway, deployment, gateway, says, to, virtual_service, who, world

from meshconfig.simulate import Redirect

A_HOST = "a.example.com"


def served(*manifests, host=A_HOST, base=BASE, **request):
    return who(at_gateway(world(*manifests, base=base), host=host, **request))


def test_the_most_specific_host_takes_it_and_there_is_no_falling_back():
    index = world(
        virtual_service("all", says(201), hosts=("*.example.com",)),
        virtual_service("wild", says(202, {"uri": {"prefix": "/w"}}), hosts=("*.w.example.com",)),
        virtual_service("one", says(203, {"uri": {"prefix": "/o"}}), hosts=("x.w.example.com",)),
    )
    assert who(at_gateway(index, "/", host="y.example.com")) == 201
    assert who(at_gateway(index, "/w", host="y.w.example.com")) == 202
    assert who(at_gateway(index, "/o", host="x.w.example.com")) == 203
    assert who(at_gateway(index, "/w", host="x.w.example.com")) == 404
    assert at_gateway(index, host="y.w.example.com").virtual_host == "*.w.example.com"


def test_a_virtual_service_with_no_route_for_the_gateway_is_as_good_as_not_there():
    elsewhere = virtual_service("one", says(202, {"gateways": ["other"]}), hosts=(A_HOST,))
    assert served(elsewhere, virtual_service("all", says(201), hosts=("*.example.com",))) == 201


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("A.Example.com", 201),
        ("a.example.com:8080", 201),
        ("a.example.com.", 404),
        ("example.com", 404),
        ("b.example.com", 404),
    ],
)
def test_a_host_in_any_case_and_with_any_port(host, expected):
    assert served(virtual_service("vs", says(201), hosts=(A_HOST,)), host=host, port=80, gateway="demo/gw") == expected


def test_a_host_that_the_gateway_does_not_serve_is_404():
    assert served(virtual_service("vs", says(201), hosts=("a.org",)), host="a.org", gateway="demo/gw") == 404


def test_virtual_services_of_one_host_merge_the_oldest_first_with_catch_alls_last():
    index = world(
        virtual_service("young", says(203, {"uri": {"prefix": "/b"}}), says(204), created="2026-02-01T00:00:00Z"),
        virtual_service("old", says(201, {"uri": {"prefix": "/a"}}), says(202), created="2026-01-01T00:00:00Z"),
    )
    assert [who(at_gateway(index, path)) for path in ("/a", "/b", "/c")] == [201, 203, 202]


@pytest.mark.parametrize(
    "match",
    [
        {"headers": {"x": {"regex": ".*"}}},
        {"withoutHeaders": {"x": {}}},
        {"queryParams": {"x": {}}},
        {"method": {"regex": ".*"}},
        {"authority": {"prefix": "a"}},
        {"scheme": {"exact": "http"}},
        {"uri": {"regex": "/.*"}},
        {"uri": {"exact": "/"}},
        {"uri": {"prefix": "/b"}},
    ],
)
def test_what_is_no_catch_all_keeps_its_place(match):
    first = virtual_service("a", says(201, match), says(203, {"uri": {"exact": "/n"}}), hosts=(A_HOST,))
    index = world(first, virtual_service("b", says(202), hosts=(A_HOST,)))
    path = "/b" if match.get("uri") == {"prefix": "/b"} else "/"
    path += "?x" if "queryParams" in match else ""
    headers = [("x", "1")] if "headers" in match else []
    assert who(at_gateway(index, path, headers, host=A_HOST)) == 201


def test_what_is_yet_to_be_created_is_the_youngest():
    index = world(virtual_service("a", says(201)), virtual_service("b", says(202), created="2026-01-01T00:00:00Z"))
    assert who(at_gateway(index)) == 202


def test_of_equal_age_the_name_decides():
    index = world(virtual_service("b", says(202)), virtual_service("a", says(201)))
    assert who(at_gateway(index)) == 201


def test_what_stands_behind_a_catch_all_of_the_same_virtual_service_is_never_reached():
    catch_alls = ({"uri": {"prefix": "/"}}, {"uri": {"regex": ".*"}}, {"uri": {}})
    for catch_all in catch_alls:
        index = world(
            virtual_service("a", says(201, catch_all), says(202, {"uri": {"prefix": "/a"}})),
            virtual_service("b", says(203, {"uri": {"prefix": "/b"}})),
        )
        assert [who(at_gateway(index, path)) for path in ("/a", "/b")] == [201, 203], catch_all


def test_gateways_on_the_same_pods_share_their_virtual_hosts():
    both = (gateway("gw2"), virtual_service("b", says(202), gateways=("gw2",), hosts=(A_HOST,)))
    first = virtual_service("a", says(201, {"uri": {"prefix": "/a"}}), hosts=(A_HOST,))
    assert served(first, *both, path="/b", gateway="demo/gw") == 202
    assert served(first, *both, path="/a", gateway="demo/gw2") == 201


def test_gateways_on_other_pods_do_not():
    apart = gateway("gw2", selector={"istio": "other"})
    beside = virtual_service("b", says(202), gateways=("gw2",), hosts=(A_HOST,))
    first = virtual_service("a", says(201, {"uri": {"prefix": "/a"}}), hosts=(A_HOST,))
    assert served(first, apart, beside, path="/b", gateway="demo/gw") == 404


def test_of_gateways_on_different_pods_one_has_to_be_named():
    apart = gateway("gw2", selector={"istio": "other"})
    index = world(apart, virtual_service("a", says(201), hosts=(A_HOST,), gateways=("gw", "gw2")))
    decision = at_gateway(index, host=A_HOST)
    assert decision.undecided == ("Gateway demo/gw2 serves this host too, on other Pods",)
    assert at_gateway(index, host=A_HOST, gateway="demo/gw2").undecided == ()


def test_a_gateway_that_may_be_on_the_same_pods_is_named():
    maybe = gateway("gw2", selector={"istio": "ingressgateway", "app": "gateway"})
    resources = (maybe, virtual_service("a", says(201), hosts=(A_HOST,)))
    decision = at_gateway(world(*resources), host=A_HOST, gateway="demo/gw")
    assert decision.undecided == ("Gateway demo/gw2 serves this host too and may select the same Pods",)
    pods = deployment("gateway", "prod", "istio-system", istio="ingressgateway")
    known = at_gateway(world(pods, *resources), host=A_HOST, gateway="demo/gw")
    assert known.undecided == known.assumed == ()


@pytest.mark.parametrize(
    ("hosts", "namespace", "expected"),
    [
        (["other/*.example.com"], "demo", 404),
        (["other/*.example.com"], "other", 201),
        (["./*.example.com"], "demo", 201),
        (["./*.example.com"], "other", 404),
        (["*/a.example.com"], "other", 201),
        (["*"], "demo", 201),
    ],
)
def test_a_server_may_keep_its_hosts_to_a_namespace(hosts, namespace, expected):
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("demo/gw",), namespace=namespace)
    assert served(gateway(hosts=hosts), vs, base=BASE[1:], gateway="demo/gw") == expected


@pytest.mark.parametrize(
    ("export_to", "expected"), [(["*"], 201), (["istio-system"], 201), (["."], 404), (["other"], 404), (["~"], 404)]
)
def test_export_to_counts_from_the_namespace_of_the_gateways_pods(export_to, expected):
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), exportTo=export_to)
    assert served(vs, gateway="demo/gw") == expected
    assert at_gateway(world(vs), host=A_HOST).assumed == ("the gateway's Pods run in namespace istio-system",)


def test_the_gateways_of_a_match_keep_its_source_conditions_from_counting():
    fits = {"gateways": ["gw"], "sourceLabels": {"no": "such"}, "sourceNamespace": "nowhere"}
    assert served(virtual_service("vs", says(201, fits), hosts=(A_HOST,))) == 201
    alone = {"sourceLabels": {"istio": "ingressgateway"}, "sourceNamespace": "istio-system"}
    assert served(virtual_service("vs", says(201, alone), hosts=(A_HOST,))) == 201
    assert served(virtual_service("vs", says(201, {"sourceLabels": {"no": "such"}}), hosts=(A_HOST,))) == 404


@pytest.mark.parametrize("name", ["gw", "demo/gw", "./gw", "gw.demo.svc.cluster.local", "gw.demo"])
def test_a_gateway_under_any_of_its_names(name):
    assert served(virtual_service("vs", says(201), hosts=(A_HOST,), gateways=(name,))) == 201


def test_a_port_without_a_server_takes_no_connection():
    decision = at_gateway(world(virtual_service("vs", says(201))), port=81, gateway="demo/gw")
    assert who(decision) == 0
    assert "no server" in decision.outcome.why


def test_an_unknown_gateway_is_said_so():
    assert at_gateway(world(), gateway="demo/no").outcome.why == "there is no Gateway demo/no"
    assert at_gateway(world(), host="a.org").outcome.why == "no Gateway serves a.org on port 80"
    assert who(at_gateway(world(), host="a.org")) == who(at_gateway(world(), gateway="demo/no")) == 404


TLS = {"mode": "SIMPLE", "credentialName": "c"}


def test_https_takes_the_server_whose_hosts_fit_best():
    secure = gateway("tls", ["*.example.com"], port=443, protocol="HTTPS", tls=TLS)
    one = gateway("one", [A_HOST], port=443, protocol="HTTPS", tls=TLS)
    wide = virtual_service("wide", says(201), hosts=("*.example.com",), gateways=("tls",))
    own = virtual_service("own", says(202), hosts=(A_HOST,), gateways=("one",))
    index = world(secure, one, wide, own)
    assert who(at_gateway(index, host="b.example.com", scheme="https")) == 201
    assert who(at_gateway(index, host=A_HOST, scheme="https")) == 202
    assert who(at_gateway(index, host=A_HOST, scheme="http", gateway="demo/one")) == 404


def test_what_came_by_https_is_not_redirected_to_it():
    secure = gateway("tls", [A_HOST], port=443, protocol="HTTPS", tls={**TLS, "httpsRedirect": True})
    assert served(secure, virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("tls",)), scheme="https") == 201


def test_a_server_that_hands_tls_on_or_speaks_no_http_has_no_routes():
    passed = gateway("tls", [A_HOST], port=443, protocol="HTTPS", tls={"mode": "PASSTHROUGH"})
    raw = gateway("raw", [A_HOST], port=443, protocol="TLS", tls=TLS)
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("tls", "raw", "gw"))
    for name in ("tls", "raw"):
        assert served(passed, raw, vs, scheme="https", gateway=f"demo/{name}") == 0
    assert served(gateway(hosts=[A_HOST], protocol="TCP"), vs, base=BASE[1:], gateway="demo/gw") == 0
    assert served(gateway(hosts=[A_HOST], protocol="HTTP2"), vs, base=BASE[1:], gateway="demo/gw") == 201


def test_of_two_servers_with_one_host_and_tls_the_later_is_dropped():
    first = gateway("a", [A_HOST], port=443, protocol="HTTPS", tls=TLS)
    second = gateway("b", [A_HOST], port=443, protocol="HTTPS", tls=TLS)
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("b",))
    assert served(first, second, vs, scheme="https", gateway="demo/b") == 404


def test_a_dropped_server_takes_its_other_hosts_along():
    first = gateway("a", ["b.example.com"], port=443, protocol="HTTPS", tls=TLS)
    second = gateway("b", [A_HOST, "b.example.com"], port=443, protocol="HTTPS", tls=TLS)
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("b",))
    found = at_gateway(world(first, second, vs), host=A_HOST, scheme="https", gateway="demo/b")
    assert str(found.outcome).endswith(
        "no connection: Gateway demo/b does not serve it: istiod leaves out its server with TLS or a redirect on port "
        "443, as the older Gateway demo/a has host b.example.com too"
    )
    assert served(second, vs, scheme="https", gateway="demo/b") == 201
    redirecting = gateway("a", ["b.example.com"], port=443, tls={"httpsRedirect": True})
    assert served(redirecting, second, vs, scheme="https", gateway="demo/b") == 0
    twice = gateway("b", ["b.example.com"], port=443, protocol="HTTPS", tls=TLS)
    twice["spec"]["servers"] += second["spec"]["servers"]
    found = at_gateway(world(twice, vs), host=A_HOST, scheme="https", gateway="demo/b")
    assert str(found.outcome).endswith("as an earlier server of it has host b.example.com too")
    elsewhere = gateway("a", ["b.example.com"], port=443, protocol="HTTPS", tls=TLS, bind="10.0.0.1")
    assert served(elsewhere, second, vs, scheme="https", gateway="demo/b") == 201


def test_a_dropped_redirect_is_told_where_another_server_of_the_port_answers():
    first = gateway("a", ["b.example.com"], tls={"httpsRedirect": True})
    second = gateway("b", [A_HOST, "b.example.com"], tls={"httpsRedirect": True})
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("b",))
    found = at_gateway(world(first, second, vs, base=BASE[1:]), host=A_HOST)
    assert who(found) == 404
    assert "Gateway demo/b does not serve it: istiod leaves out its server" in str(found.outcome)


def test_hosts_with_capitals_are_the_same_hosts():
    vs = virtual_service("vs", says(201), hosts=("a.Example.com",))
    assert served(gateway(hosts=["*.Example.com"]), vs, base=BASE[1:]) == 201
    secure = gateway("tls", ["A.example.com"], port=443, protocol="HTTPS", tls=TLS)
    own = virtual_service("vs", says(201), hosts=("A.example.com",), gateways=("tls",))
    assert served(secure, own, scheme="https") == 201


def test_the_pods_that_the_request_names_decide_over_those_found():
    here = virtual_service(
        "vs", says(201, {"sourceLabels": {"tier": "edge"}}, {"sourceNamespace": "edge"}), hosts=(A_HOST,)
    )
    assert served(here) == 404
    assert served(here, source_labels={"istio": "ingressgateway", "tier": "edge"}) == 201
    assert served(here, source_namespace="edge") == 201
    pods = deployment("gateway", "prod", "edge", istio="ingressgateway")
    assert served(here, pods) == 201
    assert served(here, pods, source_labels={"istio": "ingressgateway"}) == 404
    named = at_gateway(world(here), host=A_HOST, source_labels={"istio": "ingressgateway"}, source_namespace="edge")
    assert named.assumed == ()


def test_a_gateway_without_a_selector_is_on_every_gateways_pods():
    everywhere = gateway("all", [A_HOST], selector={"x": "y"})
    everywhere["spec"]["selector"] = {}
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("all",))
    assert served(everywhere, vs, gateway="demo/gw") == 201


def test_https_redirect():
    redirecting = gateway(hosts=["*.example.com"], tls={"httpsRedirect": True})
    index = world(redirecting, virtual_service("vs", to("prod"), hosts=(A_HOST,)), base=BASE[1:])
    assert at_gateway(index, "/x?y", host=A_HOST).outcome == Redirect(301, f"https://{A_HOST}/x?y")
    assert at_gateway(index, "/x", host="none.example.com").outcome == Redirect(301, "https://none.example.com/x")
    assert at_gateway(index, "/x", host="a.org", gateway="demo/gw").outcome.status == 404
    # Pilot takes the namespace for a part of the host here, so that only hosts with a VirtualService are redirected.
    kept = gateway(hosts=["demo/*.example.com"], tls={"httpsRedirect": True})
    index = world(kept, virtual_service("vs", to("prod"), hosts=(A_HOST,)), base=BASE[1:])
    assert at_gateway(index, host=A_HOST).outcome.status == 301
    assert at_gateway(index, host="none.example.com").outcome.status == 404
