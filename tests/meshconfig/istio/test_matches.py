"""String matches, and matches of a route as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import HTTPMatchRequest, StringMatch
from meshconfig.istio.matches import claim_path, is_catch_all, refused_in, string_matches
from meshconfig.istio.strings import UnknownError, described, is_present_match, matches, refused


def match(**fields):
    return HTTPMatchRequest.model_validate(fields)


FULFILS = [
    ({"exact": "gray"}, "gray", True),
    ({"exact": "gray"}, "grayer", False),
    ({"prefix": "gray"}, "grayer", True),
    ({"regex": "gr[ae]y"}, "grey", True),
    ({"regex": "gray"}, "grayer", False),  # the whole value
    ({"exact": ""}, "", True),
    ({}, "anything", True),
    ({"regex": "*"}, "anything", True),
]


@pytest.mark.parametrize(("written", "value", "fulfils"), FULFILS)
def test_a_string_match(written, value, fulfils):
    assert matches(StringMatch.model_validate(written), value) is fulfils


@pytest.mark.parametrize(
    "written", [{"regex": "(?=a)"}, {"regex": "("}, {"exact": "a", "prefix": "b"}, {"suffix": "a"}]
)
def test_what_istio_refuses_is_not_decided(written):
    one = StringMatch.model_validate(written)
    assert refused(one)
    with pytest.raises(UnknownError, match=r"RE2|more than one|unknown kind"):
        matches(one, "a")


@given(st.text(max_size=6), st.text(max_size=6))
def test_exact_and_prefix_are_those_of_text(wanted, value):
    assert matches(StringMatch(exact=wanted), value) is (wanted == value)
    assert matches(StringMatch(prefix=wanted), value) is value.startswith(wanted)
    assert matches(StringMatch(), value)


def test_how_a_string_match_is_shown():
    shown = [described(StringMatch.model_validate(one)) for one in ({"exact": "a"}, {"exact": ""}, {"regex": "*"}, {})]
    assert shown == ["exact a", 'exact ""', "present", "present"]
    assert is_present_match(StringMatch(regex="*"))
    assert not is_present_match(StringMatch(exact=""))


CATCH_ALL = [
    {},
    {"name": "all"},
    {"uri": {"prefix": "/"}},
    {"uri": {"regex": ".*"}},
    {"uri": {}},
    {"ignoreUriCase": True},
    # pilot checks these itself, before Envoy has any route
    {"port": 80},
    {"sourceLabels": {"app": "cat"}},
    {"gateways": ["mesh"]},
]
NOT_ALL = [
    {"uri": {"prefix": ""}},
    {"uri": {"prefix": "/a"}},
    {"uri": {"exact": "/"}},
    {"uri": {"regex": "/.*"}},
    {"method": {"exact": "GET"}},
    {"authority": {}},
    {"scheme": {"exact": "http"}},
    {"headers": {"env": {}}},
    {"withoutHeaders": {"env": {}}},
    {"queryParams": {"q": {}}},
    {"headers": {"@request.auth.claims.group": {"exact": "a"}}},
]


@pytest.mark.parametrize("fields", CATCH_ALL)
def test_a_match_that_takes_every_request(fields):
    assert is_catch_all(match(**fields))
    assert is_catch_all(None)


@pytest.mark.parametrize("fields", NOT_ALL)
def test_a_match_that_asks_for_something(fields):
    assert not is_catch_all(match(**fields))


def test_every_string_of_a_match_and_its_place():
    plain = {name: {"exact": name} for name in ("uri", "method", "authority", "scheme")}
    named = {name: {"a": {"exact": name}} for name in ("headers", "withoutHeaders", "queryParams")}
    found = dict(string_matches(match(**plain, **named)))
    assert {path: one.exact for path, one in found.items()} == {
        ("uri",): "uri",
        ("method",): "method",
        ("authority",): "authority",
        ("scheme",): "scheme",
        ("headers", "a"): "headers",
        ("withoutHeaders", "a"): "withoutHeaders",
        ("queryParams", "a"): "queryParams",
    }


def test_why_a_match_is_refused():
    assert refused_in(None) == refused_in(match(headers={"env": {"regex": "*"}})) == ""
    assert "'('" in refused_in(match(headers={"env": {"exact": "a"}}, queryParams={"q": {"regex": "("}}))
    assert "'*'" in refused_in(match(uri={"regex": "*"}))  # presence is asked of headers alone


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("@request.auth.claims.group", ("group",)),
        ("@request.auth.claims.a.b", ("a", "b")),
        ("@request.auth.claims[a.b][c]", ("a.b", "c")),
        ("@Request.Auth.Claims.group", ("group",)),
        ("@request.auth.claims", None),
        ("@request.auth.claims.", None),
        ("@request.auth.principal", None),
        ("env", None),
    ],
)
def test_the_claim_that_a_headers_name_stands_for(name, path):
    assert claim_path(name) == path
