"""What Istio makes of HTTPRoutes, GRPCRoutes, Gateways and ReferenceGrants: attachment, order, merging, filters.

Each case follows a sentence of Gateway API's reference or a function of istiod's (docs/gateway-api.md).
"""

import pytest
from istio_world import BASE, at_gateway, from_pod, in_mesh, manifest, says, service, world

from meshconfig.simulate import DirectResponse, Failure, Redirect, conditions, near_misses
from meshconfig.simulate.request import Request

API = "gateway.networking.k8s.io/v1"
CAT = {"group": "", "kind": "Service", "name": "cat"}
PREFIX, EXACT, REGEX = "PathPrefix", "Exact", "RegularExpression"


def route(name, *rules, parent=CAT, namespace="demo", created="", kind="HTTPRoute", **spec):
    spec = {"parentRefs": [parent], **spec, "rules": list(rules)}
    return manifest(kind, name, spec, namespace, API, creationTimestamp=created)


def to(backend, *matches, **rule):
    return {"matches": list(matches), "backendRefs": [{"name": backend, "port": 9001}], **rule}


def path(value, kind=PREFIX, **more):
    return {"path": {"type": kind, "value": value}, **more}


def header(*names, **more):
    return {"headers": [{"name": name, "value": "x"} for name in names], **more}


def listens(name="shop", *listeners, namespace="demo", **spec):
    return manifest(
        "Gateway", name, {"gatewayClassName": "istio", "listeners": list(listeners), **spec}, namespace, API
    )


def listener(name="http", hostname="*.example.com", port=80, **more):
    return {"name": name, "port": port, "protocol": "HTTP", **({"hostname": hostname} if hostname else {}), **more}


def reached(decision):
    """The names of the Services that take the request, or the status of what the proxy answers."""
    found = [one.outcome for one in decision.shares]
    return [one.host.partition(".")[0] if hasattr(one, "host") else one.status for one in found]


# --- order ------------------------------------------------------------------------------------------------------------

SENT = {"path": "/api/v1?q=x", "headers": [("a", "x"), ("b", "x")]}


@pytest.mark.parametrize(
    ("first", "wins"),
    [
        (path("/api"), path("/api/v1", EXACT)),
        (path("/api"), path("/api/v1")),
        (header("a", "b"), path("/api")),
        (header("a", "b"), {"method": "GET"}),
        (header("a"), header("a", "b")),
        ({"queryParams": [{"name": "q", "value": "x"}]}, header("a")),
        ({}, {"queryParams": [{"name": "q", "value": "x"}]}),
        (path("/.*", REGEX), path("/")),
        (path("/api.*", REGEX), path("/api/v1.*", REGEX)),
        (path("/api/v1/", PREFIX), path("/api/v1", EXACT)),
    ],
    ids=repr,
)
def test_what_asks_for_more_goes_first(first, wins):
    for rules in ((to("mouse", first), to("cat", wins)), (to("cat", wins), to("mouse", first))):
        assert reached(from_pod(world(route("r", *rules)), **SENT)) == ["cat"]


def test_of_equals_the_older_route_goes_first_then_the_earlier_name_then_the_earlier_rule():
    ours, theirs = route("b", to("cat", header("a"))), route("a", to("mouse", header("b")))
    assert reached(from_pod(world(ours, theirs), **SENT)) == ["mouse"]
    old = route("b", to("cat", header("a")), created="2026-01-01T00:00:00Z")
    young = route("a", to("mouse", header("b")), created="2026-02-01T00:00:00Z")
    assert reached(from_pod(world(young, old), **SENT)) == ["cat"]
    one = route("a", to("cat", header("a")), to("mouse", header("b")))
    assert reached(from_pod(world(one), **SENT)) == ["cat"]


def test_routes_of_one_host_are_merged():
    index = world(route("a", to("mouse", header("env"))), route("b", to("cat")))
    assert reached(from_pod(index)) == ["cat"]
    decision = from_pod(index, headers=[("env", "x")])
    assert reached(decision) == ["mouse"]
    assert str(decision.route) == "HTTPRoute demo/a rules[0]"


@pytest.mark.parametrize(("asked", "taken"), [("/api", True), ("/api/", True), ("/api/x", True), ("/apis", False)])
@pytest.mark.parametrize("written", ["/api", "/api/"])
def test_a_path_prefix_is_of_whole_elements(written, asked, taken):
    assert reached(from_pod(world(route("r", to("cat", path(written)))), path=asked)) == (["cat"] if taken else [404])


# --- between services -------------------------------------------------------------------------------------------------


def test_a_route_in_another_namespace_counts_for_callers_of_that_namespace():
    producer = route("r", to("cat"))
    consumer = route(
        "r", {"backendRefs": [{"name": "dog", "port": 9001}]}, parent={**CAT, "namespace": "demo"}, namespace="other"
    )
    index = world(producer, consumer)
    assert reached(from_pod(index)) == ["cat"]
    assert reached(from_pod(index, host="cat.demo.svc.cluster.local", namespace="other")) == ["dog"]


def test_a_parents_port_limits_the_route_to_it():
    index = world(
        service("cat", ports=((9001, "http"), (80, "http-web"))), route("r", to("mouse"), parent={**CAT, "port": 80})
    )
    assert reached(from_pod(index, port=80)) == ["mouse"]
    assert reached(from_pod(index, port=9001)) == ["cat"]


def test_a_missing_group_is_gateway_apis_own_so_that_no_service_is_meant():
    assert reached(from_pod(world(route("r", to("mouse"), parent={"kind": "Service", "name": "cat"})))) == ["cat"]


def test_the_older_of_a_virtual_service_and_a_route_takes_the_host():
    route_first = route("r", to("mouse"), created="2026-01-01T00:00:00Z")
    assert reached(from_pod(world(route_first, in_mesh("vs", says(418), created="2026-02-01T00:00:00Z")))) == ["mouse"]
    assert reached(from_pod(world(route_first, in_mesh("vs", says(418), created="2025-01-01T00:00:00Z")))) == [418]


# --- at gateways ------------------------------------------------------------------------------------------------------

SHOP = {"name": "shop"}
NO_ISTIO_GATEWAY = BASE[1:]


def outside(*manifests, host="shop.example.com", **request):
    return at_gateway(world(*manifests, base=NO_ISTIO_GATEWAY), host=host, **request)


@pytest.mark.parametrize(
    ("hostname", "hosts", "asked", "expected"),
    [
        ("*.example.com", ["shop.example.com"], "shop.example.com", ["cat"]),
        ("shop.example.com", ["*.example.com"], "shop.example.com", ["cat"]),
        ("shop.example.com", ["*.example.com"], "other.example.com", [404]),
        ("*.example.com", [], "shop.example.com", ["cat"]),
        ("", ["shop.example.com"], "shop.example.com", ["cat"]),
        ("*.example.org", ["shop.example.com"], "shop.example.com", [404]),
    ],
)
def test_a_route_counts_for_the_hosts_that_it_and_the_listener_have(hostname, hosts, asked, expected):
    found = outside(
        listens("shop", listener(hostname=hostname)), route("r", to("cat"), parent=SHOP, hostnames=hosts), host=asked
    )
    assert reached(found) == expected


def test_the_listener_that_fits_best_takes_the_host_alone():
    gateway = listens("shop", listener("all"), listener("shop", "shop.example.com"))
    wide = route("wide", to("cat"), parent={**SHOP, "sectionName": "all"}, hostnames=["shop.example.com"])
    assert reached(outside(gateway, wide)) == [404]


def test_a_section_and_a_port_name_a_listener():
    gateway = listens("shop", listener("a", port=80), listener("b", port=8080))
    by_name = route("r", to("cat"), parent={**SHOP, "sectionName": "b"})
    assert reached(outside(gateway, by_name, port=8080)) == ["cat"]
    assert reached(outside(gateway, by_name, port=80)) == [404]
    by_port = route("r", to("mouse"), parent={**SHOP, "port": 80})
    assert reached(outside(gateway, by_port, port=80)) == ["mouse"]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ({}, [404]),
        ({"namespaces": {"from": "All"}}, ["dog"]),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"edge": "yes"}}}}, ["dog"]),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"edge": "no"}}}}, [404]),
        ({"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]}, [404]),
    ],
)
def test_a_listener_takes_routes_of_the_namespaces_and_kinds_that_it_allows(allowed, expected):
    namespace = manifest("Namespace", "other", {}, "", "v1", labels={"edge": "yes"})
    parent = {**SHOP, "namespace": "demo"}
    index = world(
        namespace,
        listens("shop", listener(allowedRoutes=allowed)),
        route("r", {"backendRefs": [{"name": "dog", "port": 9001}]}, parent=parent, namespace="other"),
        base=NO_ISTIO_GATEWAY,
    )
    assert reached(at_gateway(index)) == expected


# --- backends ---------------------------------------------------------------------------------------------------------


def grant(*names):
    to = [{"group": "", "kind": "Service", **({"name": name} if name else {})} for name in names]
    source = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "demo"}
    return manifest("ReferenceGrant", "g", {"from": [source], "to": to}, "other", API)


AWAY = {"backendRefs": [{"name": "dog", "namespace": "other", "port": 9001}]}


@pytest.mark.parametrize(
    ("grants", "expected"), [([], [500]), ([grant("")], ["dog"]), ([grant("dog")], ["dog"]), ([grant("cat")], [500])]
)
def test_a_backend_of_another_namespace_needs_its_leave_at_a_gateway(grants, expected):
    assert reached(outside(listens("shop", listener()), route("r", AWAY, parent=SHOP), *grants)) == expected


def test_between_services_istio_asks_for_no_leave():
    assert reached(from_pod(world(route("r", AWAY)))) == ["dog"]


def test_a_backend_that_does_not_exist_and_none_at_all_are_answered_500():
    missing = from_pod(world(route("r", to("cats")))).outcome
    assert isinstance(missing, Failure)
    assert missing.status == 500
    assert "there is no Service cats.demo.svc.cluster.local" in missing.why
    zero = from_pod(world(route("r", {"backendRefs": [{"name": "cat", "port": 9001, "weight": 0}]}))).outcome
    assert zero == DirectResponse(500)


def test_weights_are_shares_and_each_backend_has_its_filters():
    sets = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "Env", "value": "gray"}]}}
    refs = [{"name": "cat", "port": 9001, "weight": 3}, {"name": "mouse", "port": 9001, "weight": 1, "filters": [sets]}]
    decision = from_pod(world(route("r", {"backendRefs": refs})))
    assert [(float(one.probability), one.outcome.headers) for one in decision.shares] == [
        (0.75, ()),
        (0.25, (("env", "gray"),)),
    ]


def test_one_rule_that_istiod_refuses_takes_all_of_its_route_away():
    refused = route("r", to("mouse"), to("mouse", filters=[{"type": "ExtensionRef"}]))
    assert reached(from_pod(world(refused))) == ["cat"]


# --- filters ----------------------------------------------------------------------------------------------------------


def rewritten(match, **given):
    rule = to("cat", match, filters=[{"type": "URLRewrite", "urlRewrite": given}])
    return lambda asked: from_pod(world(route("r", rule)), path=asked).outcome.path


@pytest.mark.parametrize(
    ("prefix", "replacement", "asked", "expected"),
    [
        ("/foo", "/bar", "/foo/x", "/bar/x"),
        ("/foo/", "/bar/", "/foo/x?q=1", "/bar/x?q=1"),
        ("/foo", "/", "/foo/x", "/x"),
        ("/foo", "/", "/foo", "/"),
        ("/foo", "/bar", "/foo", "/bar"),
    ],
)
def test_a_rewrite_of_a_prefix(prefix, replacement, asked, expected):
    change = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}}
    assert rewritten(path(prefix), **change)(asked) == expected


def test_a_rewrite_of_the_whole_path_and_of_the_host():
    change = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}}
    assert rewritten(path("/foo"), **change)("/foo/x?q=1") == "/new?q=1"
    rule = to("cat", filters=[{"type": "URLRewrite", "urlRewrite": {"hostname": "api.example.com"}}])
    assert from_pod(world(route("r", rule))).outcome.authority == "api.example.com"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Redirect(302, "http://shop.example.com/a")),
        ({"scheme": "https", "statusCode": 301}, Redirect(301, "https://shop.example.com/a")),
        ({"hostname": "b.example.com", "port": 8080}, Redirect(302, "http://b.example.com:8080/a")),
        (
            {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/b"}, "statusCode": 303},
            Redirect(303, "http://shop.example.com/b"),
        ),
    ],
)
def test_a_redirect(given, expected):
    rule = {"filters": [{"type": "RequestRedirect", "requestRedirect": given}]}
    assert outside(listens("shop", listener()), route("r", rule, parent=SHOP), path="/a").outcome == expected


def test_copies_are_sent_by_percent_and_by_fraction():
    def copies(**share):
        copy = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mouse", "port": 9001}, **share}}
        return [float(one.share) for one in from_pod(world(route("r", to("cat", filters=[copy])))).mirrors]

    assert copies() == [1.0]
    assert copies(percent=10) == [0.1]
    assert copies(fraction={"numerator": 1, "denominator": 8}) == [0.125]


# --- gRPC -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "asked", "taken"),
    [
        ({"service": "pets.Cat", "method": "Say"}, "/pets.Cat/Say", True),
        ({"service": "pets.Cat", "method": "Say"}, "/pets.Cat/Sayings", False),
        ({"service": "pets.Cat"}, "/pets.Cat/Say", True),
        ({"service": "pets.Cat"}, "/pets.Catalog/Say", False),
        ({"method": "Say"}, "/pets.Cat/Say", True),
        ({"type": REGEX, "service": "pets[.].*", "method": "S.*"}, "/pets.Dog/Say", True),
    ],
)
def test_a_grpc_route_matches_services_and_methods(method, asked, taken):
    rule = {"matches": [{"method": method}], "backendRefs": [{"name": "mouse", "port": 9001}]}
    found = from_pod(world(route("r", rule, kind="GRPCRoute")), path=asked, method="POST")
    assert reached(found) == (["mouse"] if taken else [404])


# --- what is not used -------------------------------------------------------------------------------------------------


def test_a_route_that_is_attached_to_nothing_is_named_with_the_reason():
    index = world(
        listens("shop", listener(hostname="*.example.org")),
        route("r", to("cat"), parent=SHOP, hostnames=["shop.example.com"]),
        base=NO_ISTIO_GATEWAY,
    )
    request = Request("shop.example.com", gateway="*")
    (miss,) = near_misses(index, request, at_gateway(index))
    assert str(miss) == (
        "HTTPRoute demo/r: the listener http of Gateway demo/shop is for *.example.org, and not for shop.example.com"
    )


def refused(index, request, decision):
    return [one.virtual_service for one in near_misses(index, request, decision)]


def test_a_route_that_is_used_is_no_miss_for_its_other_parent():
    parents = [SHOP, {**SHOP, "name": "inner"}]
    one = route("r", to("cat"), hostnames=["shop.example.com"], parentRefs=parents)
    judged = [
        {
            "parentRef": parent,
            "controllerName": "istio.io/gateway-controller",
            "conditions": [{"type": "Accepted", "status": status, "observedGeneration": 1}],
        }
        for parent, status in zip(parents, ("True", "False"), strict=True)
    ]
    live = [listens("shop", listener()), listens("inner", listener()), {**one, "status": {"parents": judged}}]
    for each in live:
        each["metadata"]["generation"] = 1
    index = world(*live, base=NO_ISTIO_GATEWAY)
    for name in ("*", "demo/shop"):
        request = Request("shop.example.com", gateway=name)
        assert refused(index, request, at_gateway(index, gateway=name)) == []
    assert conditions(index, Request("shop.example.com", gateway="demo/shop")) == ()
    inner = Request("shop.example.com", gateway="demo/inner")
    assert refused(index, inner, at_gateway(index, gateway="demo/inner")) == ["demo/r"]
    assert len(conditions(index, inner)) == 1


def test_a_route_of_a_namesake_in_another_namespace_is_no_miss():
    parent = {**CAT, "group": "example.com"}
    index = world(
        service("cat", namespace="other"),
        route("r", to("cat"), parent=parent),
        route("r", to("cat"), parent=parent, namespace="other"),
    )
    for host, space in (("cat", "demo"), ("cat.demo", "demo"), ("cat.other.svc.cluster.local", "other")):
        request = Request(host, source_namespace="demo", port=9001)
        assert refused(index, request, from_pod(index, host)) == [f"{space}/r"]
