"""Which conditions hold. The surprising rows were measured on Envoy 1.40, most of them behind a real istiod too."""

import pytest
from istio_world import at_gateway, says, to, virtual_service, who, world

from meshconfig.simulate import Mismatch

ENV_GRAY = {"headers": {"env": {"exact": "gray"}}}


def holds(match, path="/", headers=(), **request):
    index = world(virtual_service("vs", to("gray", match), to("prod")))
    return who(at_gateway(index, path, headers, **request)) == "cat/gray"


HEADERS = [
    ({"env": {"exact": "gray"}}, [("env", "gray")], True),
    ({"env": {"exact": "gray"}}, [("env", "Gray")], False),
    ({"env": {"exact": "gray"}}, [], False),
    ({"env": {"exact": "gray"}}, [("env", "gray,blue")], False),
    ({"env": {"exact": "gray"}}, [("env", "blue"), ("env", "gray")], True),
    ({"env": {"exact": "gray"}}, [("env", " gray\t")], True),
    ({"env": {"exact": ""}}, [("env", "")], True),
    ({"env": {"exact": ""}}, [], False),
    ({"ENV": {"exact": "gray"}}, [("eNv", "gray")], True),
    ({"env": {"prefix": "gr"}}, [("env", "gray,blue")], True),
    ({"env": {"prefix": "gr"}}, [("env", "a-gr")], False),
    ({"env": {"regex": "gr.y"}}, [("env", "gray")], True),
    ({"env": {"regex": "gr.y"}}, [("env", "a gray one")], False),
    ({"env": {"regex": "gr.y"}}, [("env", "grüy")], True),
    ({"env": {}}, [("env", "")], True),
    ({"env": {}}, [], False),
    ({"env": {"regex": "*"}}, [("env", "x")], True),
    ({"env": {"regex": "*"}}, [], False),
    ({"env": {"exact": "gray"}, "user": {}}, [("env", "gray")], False),
    ({"env": {"exact": "gray"}, "user": {}}, [("env", "gray"), ("user", "u")], True),
    ({"host": {"exact": "shop.example.com"}}, [], True),
]


@pytest.mark.parametrize(("wanted", "headers", "expected"), HEADERS)
def test_headers(wanted, headers, expected):
    assert holds({"headers": wanted}, headers=headers) is expected


WITHOUT = [
    ({"env": {"exact": "gray"}}, [], True),
    ({"env": {"exact": "gray"}}, [("env", "prod")], True),
    ({"env": {"exact": "gray"}}, [("env", "gray")], False),
    ({"env": {"exact": "gray"}}, [("env", "prod"), ("env", "gray")], False),
    ({"env": {}}, [], True),
    ({"env": {}}, [("env", "x")], False),
    ({"env": {"regex": "*"}}, [], True),
    # An absent header counts as empty, and the empty string matches this regex.
    ({"env": {"regex": ".*"}}, [], False),
    ({"env": {"exact": ""}}, [], False),
    ({"env": {"regex": "g.*"}}, [], True),
]


@pytest.mark.parametrize(("unwanted", "headers", "expected"), WITHOUT)
def test_without_headers(unwanted, headers, expected):
    assert holds({"withoutHeaders": unwanted}, headers=headers) is expected


PATHS = [
    ({"uri": {"exact": "/a"}}, "/a?x=1", True),
    ({"uri": {"exact": "/a"}}, "/a/", False),
    ({"uri": {"exact": "/a"}}, "/A", False),
    ({"uri": {"prefix": "/a"}}, "/ab", True),
    ({"uri": {"prefix": "/a"}}, "/b?/a", False),
    ({"uri": {"prefix": "/a?x"}}, "/a?x", False),
    ({"uri": {"regex": "/a[0-9]+"}}, "/a12?b", True),
    ({"uri": {"regex": "/a[0-9]+"}}, "/a12/b", False),
    ({"uri": {}}, "/any", True),
    ({"uri": {"exact": "/Ab"}, "ignoreUriCase": True}, "/aB", True),
    ({"uri": {"prefix": "/Ab"}, "ignoreUriCase": True}, "/aBc", True),
    ({"uri": {"exact": "/Ab"}, "ignoreUriCase": True}, "/x", False),
    ({"uri": {"prefix": "/Ab"}, "ignoreUriCase": True}, "/a", False),
    ({"uri": {"regex": "/Ab"}, "ignoreUriCase": True}, "/ab", False),
    ({"uri": {"regex": "/Ab"}, "ignoreUriCase": True}, "/Ab", True),
    ({"uri": {"exact": "/b"}}, "/a/../b", True),
    ({"uri": {"exact": "/a/"}}, "/a/b/..", True),
    ({"uri": {"exact": "/a/b"}}, "/./a\\b", True),
    ({"uri": {"exact": "/a"}}, "/%61", True),
    ({"uri": {"exact": "/a/b"}}, "/a%2Fb", False),
    ({"uri": {"exact": "/a%2Fb"}}, "/a%2Fb", True),
    ({"uri": {"exact": "/!~"}}, "/!~?~!", True),
    ({"uri": {"exact": "/a"}}, "//a", False),
]


@pytest.mark.parametrize(("match", "path", "expected"), PATHS)
def test_paths(match, path, expected):
    assert holds(match, path) is expected


QUERIES = [
    ({"q": {"exact": "1"}}, "/?q=1", True),
    ({"q": {"exact": "1"}}, "/?q=2&q=1", False),
    ({"q": {"exact": "1"}}, "/?a&q=1", True),
    ({"q": {"exact": "1"}}, "/?Q=1", False),
    ({"q": {"prefix": "1"}}, "/?q=12", True),
    ({"q": {"regex": "1+"}}, "/?q=12", False),
    ({"q": {"exact": "x y"}}, "/?q=x%20y", False),
    ({"q": {"exact": "x%20y"}}, "/?q=x%20y", True),
    ({"q": {}}, "/?q", True),
    ({"q": {"exact": ""}}, "/?q", True),
    ({"q": {}}, "/?qq", False),
    ({"q": {"regex": "*"}}, "/?q=x", True),
]


@pytest.mark.parametrize(("wanted", "path", "expected"), QUERIES)
def test_query_parameters(wanted, path, expected):
    assert holds({"queryParams": wanted}, path) is expected


PSEUDO = [
    ({"method": {"exact": "POST"}}, {"method": "POST"}, True),
    ({"method": {"exact": "POST"}}, {"method": "GET"}, False),
    ({"scheme": {"exact": "http"}}, {}, True),
    ({"scheme": {"exact": "https"}}, {}, False),
    ({"authority": {"exact": "shop.example.com"}}, {}, True),
    ({"authority": {"exact": "shop.example.com"}}, {"host": "shop.example.com:80"}, False),
    ({"authority": {"exact": "shop.example.com:80"}}, {"host": "shop.example.com:80"}, True),
    ({"authority": {"exact": "shop.example.com"}}, {"host": "Shop.example.com"}, False),
    ({"port": 80}, {}, True),
    ({"port": 81}, {}, False),
]


@pytest.mark.parametrize(("match", "request_", "expected"), PSEUDO)
def test_method_scheme_authority_and_port(match, request_, expected):
    assert holds(match, **request_) is expected


CLAIMS = [
    ("@request.auth.claims.group", {"exact": "dev"}, {"group": "dev"}, True),
    ("@request.auth.claims.group", {"exact": "dev"}, {"group": ["ops", "dev"]}, True),
    ("@request.auth.claims.group", {"exact": "dev"}, {}, False),
    ("@request.auth.claims.a.b", {"prefix": "x"}, {"a": {"b": "xy"}}, True),
    ("@request.auth.claims[a.b][c]", {"exact": "x"}, {"a.b": {"c": "x"}}, True),
    ("@request.auth.claims.scope", {"exact": "read"}, {"scope": "write read"}, True),
    ("@request.auth.claims.group", {"exact": "1"}, {"group": 1}, False),
    ("@request.auth.claims.group", {"regex": "d.*"}, {"group": "dev"}, True),
    ("@request.auth.claims.group", {"exact": "dev"}, {"group": "dev ops"}, False),
    ("@request.auth.claims.scope", {"exact": "read"}, {"scope": ["write", "read"]}, True),
    ("@request.auth.claims.a.b", {"exact": "x"}, {"a": "x"}, False),
    ("@Request.Auth.Claims.group", {"exact": "dev"}, {"group": "dev"}, True),
    # Not a claim's name, so a header's, and no request has it.
    ("@request.auth.claims.", {"exact": "dev"}, {"": "dev"}, False),
    ("@request.auth.claims[]", {"exact": "dev"}, {"": "dev"}, False),
    ("@request.auth.claims[a", {"exact": "dev"}, {"a": "dev"}, False),
    ("@request.auth.claims.a]", {"exact": "dev"}, {"a": "dev"}, False),
]


@pytest.mark.parametrize(("name", "wanted", "claims", "expected"), CLAIMS)
def test_claims_of_the_token(name, wanted, claims, expected):
    assert holds({"headers": {name: wanted}}, claims=claims) is expected
    assert holds({"withoutHeaders": {name: wanted}}, claims=claims) is not expected


def test_all_conditions_of_a_match_and_any_match_of_a_route():
    both = {**ENV_GRAY, "uri": {"prefix": "/a"}}
    assert holds(both, "/a", [("env", "gray")])
    assert not holds(both, "/b", [("env", "gray")])
    index = world(virtual_service("vs", says(201, {"uri": {"prefix": "/a"}}, ENV_GRAY), says(202)))
    assert who(at_gateway(index, "/a")) == 201
    assert who(at_gateway(index, "/b", [("env", "gray")])) == 201
    assert who(at_gateway(index, "/b")) == 202


def test_the_first_route_that_matches_wins_and_none_is_404():
    index = world(virtual_service("vs", says(201, {"uri": {"prefix": "/a"}}), says(202, {"uri": {"prefix": "/a/b"}})))
    assert who(at_gateway(index, "/a/b")) == 201
    decision = at_gateway(index, "/c")
    assert who(decision) == 404
    assert decision.route is None
    assert [skipped.route.index for skipped in decision.skipped] == [0, 1]


def test_the_decision_names_the_route_and_the_match():
    index = world(virtual_service("vs", says(201, {"uri": {"prefix": "/x"}}, ENV_GRAY, name="lane")))
    route = at_gateway(index, headers=[("env", "gray")]).route
    assert (route.virtual_service, route.index, route.name, route.match_index) == ("demo/vs", 0, "lane", 1)


def test_the_reasons_of_a_route_passed_over_read_well():
    wanted = {
        "headers": {"ENV": {"exact": "gray"}},
        "queryParams": {"q": {}},
        "withoutHeaders": {"User": {"regex": "a.*"}},
    }
    index = world(virtual_service("vs", says(201, wanted, {"uri": {"prefix": "/x"}}, name="lane"), says(202)))
    (skipped,) = at_gateway(index, "/", [("env", "prod"), ("user", "anna")]).skipped
    assert skipped.reasons == (
        (
            Mismatch("header env", "exact gray", "prod"),
            Mismatch("header user", "not regex a.*", "anna"),
            Mismatch("query q", "present", None),
        ),
        (Mismatch("uri", "prefix /x", "/"),),
    )
    first = "header env: exact gray ≠ prod, header user: not regex a.* ≠ anna, query q: present, absent"
    assert str(skipped) == f"{first}; or uri: prefix /x ≠ /"


def test_a_path_that_envoy_refuses_is_400():
    index = world(virtual_service("vs", to("prod")))
    assert [who(at_gateway(index, path)) for path in ("/a#b", "/é", "a", "/a b")] == [400] * 4
