"""What cannot be decided is named, and never guessed at."""

from fractions import Fraction

import pytest
from istio_world import (
    BASE,
    at_gateway,
    from_pod,
    in_mesh,
    manifest,
    rule,
    says,
    service,
    target,
    to,
    virtual_service,
    who,
    world,
)

from meshconfig.simulate import Request, Undecided, simulate


def asked(*routes, **request):
    return at_gateway(world(virtual_service("vs", *routes)), **request)


def is_open(decision, *parts):
    """The whole outcome is open, and the reason says these."""
    (share,) = decision.shares
    return isinstance(share.outcome, Undecided) and all(part in " ".join(decision.undecided) for part in parts)


def test_a_regex_that_re2_refuses_leaves_every_route_of_the_host_open():
    """Envoy takes a route configuration as a whole or not at all."""
    lookahead = {"headers": {"env": {"regex": "(?=a).*"}}}
    decision = asked(says(201, {"uri": {"prefix": "/a"}}), says(202, lookahead), path="/a")
    assert is_open(decision, "RE2 refuses the regex '(?=a).*'")
    assert is_open(asked(says(201, {"uri": {"regex": "*"}})), "'*'")


@pytest.mark.parametrize("matcher", [{"exact": "a", "prefix": "b"}, {"suffix": "a"}])
def test_a_string_match_of_no_known_kind(matcher):
    assert is_open(asked(says(201, {"headers": {"x": matcher}}), headers=[("x", "a")]))


def test_a_claim_when_no_token_is_given():
    needs = {"headers": {"@request.auth.claims.group": {"exact": "dev"}}}
    assert is_open(asked(says(201, needs), says(202)), "JWT claim group")
    # Another condition of the same match settles it.
    elsewhere = {**needs, "uri": {"prefix": "/a"}}
    assert who(asked(says(201, elsewhere), says(202))) == 202


def test_a_sidecar_knows_no_claims():
    needs = {"headers": {"@request.auth.claims.group": {"exact": "dev"}}}
    assert who(from_pod(world(in_mesh("vs", says(201, needs), says(202))))) == 202


def test_a_field_of_a_match_that_is_not_modelled():
    assert is_open(asked(says(201, {"uri": {"prefix": "/"}, "weather": "fine"})), "the field weather of a match")
    assert who(asked(says(201, {"uri": {"prefix": "/"}, "statPrefix": "x", "name": "y"}))) == 201


def test_a_field_of_a_route_or_a_destination_that_is_not_modelled():
    assert asked(to("prod", weather="fine")).undecided == ("the field weather of a route is not modelled",)
    for part in ("rewrite", "headers"):
        assert asked(to("prod", **{part: {"weather": "fine"}})).undecided == (
            "the field weather of a route is not modelled",
        )
    odd = {"route": [{**target("prod"), "weather": "fine"}]}
    assert asked(odd).undecided == ("the field weather of a destination is not modelled",)


def test_a_condition_that_an_earlier_route_makes_moot_is_no_doubt():
    assert asked(says(201), says(202, {"weather": "fine"})).undecided == ()


@pytest.mark.parametrize(
    ("weights", "why"), [([0, 0], "sum up to 0"), ([None, None], "sum up to 0"), ([], "leads nowhere")]
)
def test_weights_that_envoy_refuses(weights, why):
    route = {"route": [target("prod", weight=weight) for weight in weights]}
    assert is_open(asked(route), why)
    fault = {"abort": {"httpStatus": 418, "percentage": {"value": 50}}}
    assert who(asked({**route, "fault": fault}))[418] == Fraction(1, 2)


def test_a_header_value_that_envoy_makes():
    made = asked(to("prod", headers={"request": {"set": {"x": "%REQ(y)%"}}}))
    assert is_open(made, "'%REQ(y)%'")


def test_a_rewrite_to_what_is_no_path():
    bare = asked(to("prod", {"uri": {"prefix": "/a"}}, rewrite={"uri": "bare"}), path="/a")
    assert bare.outcome.path == "bare"
    assert "the rewritten path 'bare' is none" in bare.undecided[0]


def test_a_redirect_code_that_pilot_does_not_take():
    assert is_open(asked({"redirect": {"redirectCode": 309}}), "309")


def test_the_senders_labels_and_the_port_when_they_are_not_known():
    index = world(in_mesh("vs", says(201, {"sourceLabels": {"app": "cat"}}), says(202)))
    assert is_open(simulate(index, Request("cat", source_namespace="demo", port=9001)), "sourceLabels")
    ports = world(in_mesh("vs", says(201, {"port": 81}), says(202)), base=())
    assert is_open(simulate(ports, Request("cat", source_namespace="demo")), "port 81")


@pytest.mark.parametrize("kind", ["EnvoyFilter", "WasmPlugin", "AuthorizationPolicy", "RequestAuthentication"])
@pytest.mark.parametrize(("namespace", "named"), [("istio-system", True), ("elsewhere", False)])
def test_resources_that_change_what_a_gateway_does(kind, namespace, named):
    index = world(virtual_service("vs", says(201)), manifest(kind, "x", {}, namespace))
    decision = at_gateway(index)
    assert who(decision) == 201
    assert [kind in doubt for doubt in decision.undecided] == ([True] if named else [])


def test_a_policy_for_incoming_requests_is_no_doubt_of_a_sender():
    index = world(in_mesh("vs", says(201)), manifest("AuthorizationPolicy", "x", {}), manifest("EnvoyFilter", "y", {}))
    assert from_pod(index).undecided == ("EnvoyFilter demo/y may change the proxy's configuration in any way",)


def stats_filter(name, *, context="SIDECAR_OUTBOUND", patched="istio.stats", operation="INSERT_BEFORE", **spec):
    """As `istioctl install` of Istio 1.10 to 1.17 left it in the root namespace, two for each version."""
    match = {"context": context, "proxy": {"proxyVersion": "^1\\.11.*"}}
    patch = {"operation": operation, "value": {"name": patched}}
    patches = [{"applyTo": "HTTP_FILTER", "match": match, "patch": patch}]
    return manifest("EnvoyFilter", name, {"configPatches": patches, **spec}, "istio-system")


def test_the_statistics_filters_of_old_installations_are_no_doubts():
    old = [stats_filter(f"{kind}stats-filter-1.{minor}") for kind in ("", "tcp-") for minor in (11, 12, 13)]
    index = world(in_mesh("vs", says(201)), virtual_service("entry", says(201)), *old)
    assert from_pod(index).undecided == at_gateway(index).undecided == ()


@pytest.mark.parametrize(
    ("given", "in_the_mesh", "at_the_gateway"),
    [
        ({"patched": "envoy.filters.http.lua"}, True, False),
        ({"patched": "envoy.filters.http.lua", "context": "GATEWAY"}, False, True),
        ({"patched": "envoy.filters.http.lua", "context": "ANY"}, True, True),
        ({"patched": "envoy.filters.http.lua", "context": "SIDECAR_INBOUND"}, False, False),
        ({"operation": "REMOVE"}, True, False),
        ({"patched": "lua", "workloadSelector": {"labels": {"app": "other"}}}, False, False),
        ({"patched": "lua", "workloadSelector": {"labels": {"app": "probe"}}}, True, False),
    ],
)
def test_an_envoy_filter_is_a_doubt_where_it_changes_more_than_statistics(given, in_the_mesh, at_the_gateway):
    index = world(in_mesh("vs", says(201)), virtual_service("entry", says(201)), stats_filter("x", **given))
    assert bool(from_pod(index).undecided) is in_the_mesh
    assert bool(at_gateway(index).undecided) is at_the_gateway


def test_many_resources_of_a_kind_are_one_doubt():
    index = world(in_mesh("vs", says(201)), *(manifest("EnvoyFilter", f"f{number}", {}) for number in range(6)))
    names = "demo/f0, demo/f1, demo/f2 and 3 more"
    assert from_pod(index).undecided == (
        f"one of the EnvoyFilters {names} may change the proxy's configuration in any way",
    )


@pytest.mark.parametrize(
    ("kind", "parent", "hostnames", "outside", "inside"),
    [
        ("HTTPRoute", {"name": "gw"}, ["shop.example.com"], True, False),
        ("HTTPRoute", {"name": "gw"}, ["*.example.com"], True, False),
        ("TCPRoute", {"name": "gw"}, None, True, False),
        ("HTTPRoute", {"name": "gw"}, ["other.example.com"], False, False),
        ("GRPCRoute", {"kind": "Service", "group": "", "name": "cat"}, None, False, False),
        ("TCPRoute", {"kind": "Service", "group": "", "name": "cat"}, None, False, True),
        ("HTTPRoute", {"kind": "Service", "name": "cat", "namespace": "other"}, None, False, False),
    ],
)
def test_a_route_of_the_gateway_api_that_is_not_computed(kind, parent, hostnames, outside, inside):
    spec = {"parentRefs": [parent], **({"hostnames": hostnames} if hostnames else {})}
    route = manifest(kind, "x", spec, api="gateway.networking.k8s.io/v1")
    index = world(in_mesh("vs", says(201)), virtual_service("entry", says(201)), route)
    why = {
        "HTTPRoute": "may route the request, as the Gateway demo/gw is not given",
        "TCPRoute": "may take the connection, and is not computed",
    }
    doubt = (f"{kind} demo/x {why.get(kind)}",)
    assert at_gateway(index).undecided == (doubt if outside else ())
    assert from_pod(index).undecided == (doubt if inside else ())


def test_a_cors_preflight():
    index = world(virtual_service("vs", to("prod", corsPolicy={"allowOrigins": [{"exact": "x"}]})))
    assert at_gateway(index).undecided == ()
    assert "CORS" in at_gateway(index, method="OPTIONS", headers=[("origin", "x")]).undecided[0]
    assert at_gateway(index, method="OPTIONS").undecided == ()
    assert at_gateway(index, headers=[("origin", "x")]).undecided == ()
    plain = world(virtual_service("vs", to("prod")))
    assert at_gateway(plain, method="OPTIONS", headers=[("origin", "x")]).undecided == ()


def test_a_headless_service_from_a_sidecar():
    headless = service("still", clusterIP="None")
    assert "headless" in from_pod(world(headless), "still").undecided[0]
    at_the_gateway = world(headless, virtual_service("vs", to(host="still")))
    assert at_gateway(at_the_gateway).undecided == ()


def test_an_egress_listener_of_a_port_of_its_own():
    spec = {"egress": [{"hosts": ["*/*"], "port": {"number": 80}}]}
    assert "egress listeners" in from_pod(world(manifest("Sidecar", "s", spec))).undecided[0]


def test_nothing_is_open_in_an_ordinary_mesh():
    index = world(virtual_service("vs", to("prod")), rule("dog", namespace="other"))
    assert len(BASE) > 5
    assert at_gateway(index).undecided == from_pod(index).undecided == ()
