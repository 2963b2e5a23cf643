"""Laws that hold for any routes and any request."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from istio_world import at_gateway, from_pod, in_mesh, says, to, virtual_service, world

from meshconfig.simulate import ANY_GATEWAY, Destination, Request, Undecided, simulate

VALUES = ("gray", "prod", "gray,prod", "")
NAMES = ("env", "user", "x-a")
PATHS = ("/", "/a", "/a/b", "/ab", "/A", "/a?q=1", "/a?q=2&q=1", "/b?p")

strings = st.one_of(
    st.builds(dict),
    st.builds(dict, exact=st.sampled_from(VALUES)),
    st.builds(dict, prefix=st.sampled_from(("g", "pr", "gray,"))),
    st.builds(dict, regex=st.sampled_from((".*", "gr.y", "*", ".+,prod", "g|p.*"))),
)
uris = st.one_of(
    st.builds(dict, exact=st.sampled_from(("/", "/a", "/A", "/a/b"))),
    st.builds(dict, prefix=st.sampled_from(("/", "/a", "/a/", "/A"))),
    st.builds(dict, regex=st.sampled_from(("/a.*", "/[ab]", ".*"))),
)
some_headers = st.dictionaries(st.sampled_from(NAMES), strings, max_size=2)
matches = st.fixed_dictionaries(
    {},
    optional={
        "uri": uris,
        "headers": some_headers,
        "withoutHeaders": some_headers,
        "queryParams": st.dictionaries(st.sampled_from(("q", "p")), strings, max_size=1),
        "method": st.builds(dict, exact=st.sampled_from(("GET", "POST"))),
        "ignoreUriCase": st.booleans(),
    },
)
operations = st.fixed_dictionaries(
    {},
    optional={
        "set": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("gray", "prod", ""))),
        "add": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("gray", "more"))),
        "remove": st.lists(st.sampled_from(NAMES), max_size=2),
    },
)
targets = st.builds(
    lambda subset, weight, ops: {
        "destination": {"host": "cat", "subset": subset},
        "weight": weight,
        "headers": {"request": ops},
    },
    st.sampled_from(("prod", "gray", "missing")),
    st.integers(1, 100),
    operations,
)
faults = st.sampled_from((0, 0.5, 33.3333, 100)).map(
    lambda value: {"abort": {"httpStatus": 418, "percentage": {"value": value}}}
)
routes = st.builds(
    lambda match, every, ops, more: {"match": match, "route": every, "headers": {"request": ops}, **more},
    st.lists(matches, min_size=1, max_size=3),
    st.lists(targets, min_size=1, max_size=3),
    operations,
    st.fixed_dictionaries({}, optional={"fault": faults, "rewrite": st.just({"uri": "/new"})}),
)
requests = st.builds(
    lambda path, headers, method: Request("shop.example.com", path, method, headers, gateway=ANY_GATEWAY),
    st.sampled_from(PATHS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3).map(tuple),
    st.sampled_from(("GET", "POST")),
)
some_routes = st.lists(routes, min_size=1, max_size=4)


def decided(http, request, name="vs"):
    return simulate(world(virtual_service(name, *http)), request)


@given(some_routes, requests)
def test_probabilities_sum_to_one(http, request):
    decision = decided(http, request)
    assert sum(share.probability for share in decision.shares) == Fraction(1)
    assert all(share.probability > 0 for share in decision.shares)
    assert len({share.outcome for share in decision.shares}) == len(decision.shares)


@given(some_routes, requests)
def test_every_route_before_the_one_that_took_it_has_its_reasons(http, request):
    decision = decided(http, request)
    taken = decision.route.index if decision.route else len(http)
    assert [skipped.route.index for skipped in decision.skipped] == list(range(taken))
    for skipped in decision.skipped:
        assert len(skipped.reasons) == len(http[skipped.route.index]["match"])
        assert all(skipped.reasons)


@given(some_routes, requests, routes)
def test_a_route_behind_a_catch_all_changes_nothing(http, request, more):
    closed = [*http, to("prod")]
    assert decided([*closed, more], request) == decided(closed, request)


@given(some_routes, requests)
def test_a_catch_all_leaves_nothing_unrouted(http, request):
    assert decided([*http, to("prod")], request).route is not None


@given(some_routes, requests, st.sampled_from((str.upper, str.title, str.swapcase)))
def test_the_case_of_header_names_does_not_matter(http, request, change):
    other = replace(request, headers=[(change(name), value) for name, value in request.headers])
    assert decided(http, other) == decided(http, request)
    renamed = [{**route, "match": [_renamed(match, change) for match in route["match"]]} for route in http]
    assert decided(renamed, request).shares == decided(http, request).shares


def _renamed(match, change):
    groups = {
        key: {change(name): one for name, one in match[key].items()}
        for key in ("headers", "withoutHeaders")
        if key in match
    }
    return {**match, **groups}


@given(some_routes, requests, st.permutations(range(3)))
def test_the_order_of_headers_of_other_names_does_not_matter(http, request, order):
    assume(len({name for name, _ in request.headers}) == len(request.headers))
    shuffled = [request.headers[index] for index in order if index < len(request.headers)]
    first, second = decided(http, request), decided(http, replace(request, headers=shuffled))
    assert first.route == second.route
    assert _unordered(first) == _unordered(second)


def _unordered(decision):
    every = [(share.probability, share.outcome) for share in decision.shares]
    return {
        (chance, replace(one, headers=tuple(sorted(one.headers))) if isinstance(one, Destination) else one)
        for chance, one in every
    }


@given(requests, st.lists(st.sampled_from(("gray", "prod", "gray,prod")), min_size=2, max_size=2, unique=True))
def test_two_routes_that_no_request_meets_both_may_be_swapped(request, values):
    assume(len([name for name, _ in request.headers if name == "env"]) < 2)
    one, two = (says(200 + number, {"headers": {"env": {"exact": value}}}) for number, value in enumerate(values))
    assert decided([one, two], request).shares == decided([two, one], request).shares


@given(some_routes, requests)
def test_a_route_with_several_matches_is_as_good_as_several_routes(http, request):
    apart = [{**route, "match": [match]} for route in http for match in route["match"]]
    assert decided(apart, request).shares == decided(http, request).shares


@given(some_routes, some_routes, requests)
def test_virtual_services_merged_at_a_gateway_are_one_after_the_other(first, second, request):
    """As long as none of them has a catch-all, which pilot moves to the end."""
    first, second = [[_conditional(route) for route in http] for http in (first, second)]
    merged = world(virtual_service("a", *first), virtual_service("b", *second))
    assert simulate(merged, request).shares == decided([*first, *second], request).shares


def _conditional(route):
    return {**route, "match": [{"method": {"exact": "GET"}, **match} for match in route["match"]]}


@given(some_routes, requests)
def test_what_goes_on_carries_what_the_route_sets(http, request):
    """But for what its one destination sets anew."""
    decision = decided(http, request)
    assume(decision.destinations)
    taken = http[decision.route.index]
    anew = taken["route"][0]["headers"]["request"].get("set", {}) if len(taken["route"]) == 1 else {}
    wanted = {name: value for name, value in _set(taken).items() if value and not anew.get(name)}
    for one in decision.destinations:
        assert wanted.items() <= dict(reversed(one.headers)).items()


def _set(route):
    return route["headers"]["request"].get("set", {})


@given(some_routes, requests)
def test_the_mesh_and_the_gateway_read_a_match_alike(http, request):
    index = world(virtual_service("vs", *http), in_mesh("vs2", *http))
    outside = simulate(index, request)
    inside = simulate(index, replace(request, host="cat", gateway=None, source_namespace="demo", port=9001))
    assert (outside.route and outside.route.index) == (inside.route and inside.route.index)


@given(st.sampled_from(("GRAY", "gra", "gray ", "graygray", "")), st.booleans())
def test_only_the_exact_tag_is_the_lane(value, inside):
    http = (to("gray", {"headers": {"env": {"exact": "gray"}}}), to("prod"))
    index = world(virtual_service("vs", *http), in_mesh("vs2", *http))
    ask = from_pod if inside else at_gateway
    expected = "gray" if value.strip() == "gray" else "prod"
    assert ask(index, headers=[("env", value)]).outcome.labels == (("env", expected),)


@pytest.mark.parametrize("text", ["gr(", "[", "a{2,1}", "(?<n>a", r"\1"])
def test_no_regex_makes_it_raise(text):
    decision = decided(
        [says(201, {"headers": {"env": {"regex": text}}})], Request("shop.example.com", gateway=ANY_GATEWAY)
    )
    assert decision.outcome == Undecided()


@settings(max_examples=200)
@given(st.text(max_size=12), st.text(max_size=12))
def test_no_path_and_no_host_make_it_raise(path, host):
    index = world(
        virtual_service("vs", to("prod", {"uri": {"regex": "/.*"}}, rewrite={"uri": "/x"}), hosts=("*.example.com",))
    )
    for request in (Request(host, path, gateway=ANY_GATEWAY), Request(host, path, source_namespace="demo", port=9001)):
        assert simulate(index, request).shares
