"""Where a route sends: shares, mirrors, authority, the port of a redirect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import HTTPRedirect, HTTPRoute
from meshconfig.istio.destinations import (
    ALL_MILLIONTHS,
    authority,
    is_internal,
    millionths,
    mirrors,
    redirect_port,
    sent_authority,
    weighted,
)
from meshconfig.istio.types import HeaderOperations


def route(*weights, **fields):
    listed = [
        {"destination": {"host": f"v{number}"}, **({} if weight is None else {"weight": weight})}
        for number, weight in enumerate(weights)
    ]
    return HTTPRoute.model_validate({"route": listed, **fields})


WEIGHTS = st.lists(st.one_of(st.none(), st.integers(0, 1000)), max_size=5)


@pytest.mark.parametrize("weight", [None, 0, 1, 100])
def test_a_single_destination_gets_all_whatever_its_weight(weight):
    assert [(share, one.destination.host) for share, one in weighted(route(weight).route)] == [(1, "v0")]


@given(WEIGHTS.filter(lambda weights: len(weights) != 1))
def test_of_several_one_without_a_weight_gets_nothing(weights):
    found = {one.destination.host: share for share, one in weighted(route(*weights).route)}
    assert found == {f"v{number}": weight for number, weight in enumerate(weights) if weight}


PERCENTAGES = [
    (None, 0),
    ({}, 0),
    ({"value": 0}, 0),
    ({"value": 12.5}, 125_000),
    ({"value": 100}, ALL_MILLIONTHS),
    ({"value": 0.00009}, 0),
    ({"value": 0.00019}, 1),
    ({"value": 200}, ALL_MILLIONTHS),
]


@pytest.mark.parametrize(("percentage", "share"), PERCENTAGES)
def test_a_percentage_is_rounded_down_to_millionths(percentage, share):
    assert millionths(percentage) == share


MIRRORS = [
    ({"mirror": {"host": "m"}}, [("m", ALL_MILLIONTHS)]),
    ({"mirror": {"host": "m"}, "mirrorPercent": 5}, [("m", 50_000)]),
    ({"mirror": {"host": "m"}, "mirrorPercent": 5, "mirrorPercentage": {"value": 0.5}}, [("m", 5_000)]),
    ({"mirror": {"host": "m"}, "mirrorPercentage": {"value": 0}}, []),
    ({"mirror": {"host": "m"}, "mirrorPercent": 0}, []),
    ({"mirrorPercent": 50}, []),
    (
        {"mirrors": [{"destination": {"host": "a"}}, {"destination": {"host": "b"}, "percentage": {"value": 1}}]},
        [("a", ALL_MILLIONTHS), ("b", 10_000)],
    ),
    ({"mirrors": [{"destination": {"host": "a"}, "percentage": {"value": 0}}]}, []),
]


@pytest.mark.parametrize(("fields", "expected"), MIRRORS)
def test_who_gets_copies(fields, expected):
    assert [(one.host, share) for one, share in mirrors(route(None, **fields))] == expected


def test_the_authority_that_header_operations_give():
    assert authority(HeaderOperations(set={"Host": "a"}, add={":authority": "b"})) == "a"
    assert authority(HeaderOperations(set={"host": ""}, add={":authority": "b"})) == "b"
    assert authority(HeaderOperations(set={"x": "a"}, remove=("host",))) == ""
    assert all(map(is_internal, ("Host", ":authority", ":path")))
    assert not is_internal("x-host")


def test_a_rewrite_comes_before_the_routes_headers_and_those_before_the_destinations():
    by_route = {"headers": {"request": {"set": {"host": "route"}}}}
    sent = [{"destination": {"host": "v0"}, "headers": {"request": {"set": {"host": "destination"}}}}]
    every = [route(**fields) for fields in ({"rewrite": {"authority": "rewrite"}, **by_route}, by_route, {})]
    one = HTTPRoute.model_validate({"route": sent}).route[0]
    assert [sent_authority(each, one) for each in every] == ["rewrite", "route", "destination"]


REDIRECTS = [
    ({}, False, None),
    ({"port": 80}, False, None),
    ({"port": 443}, False, 443),
    ({"port": 443}, True, None),
    ({"port": 80, "scheme": "https"}, False, 80),
    ({"port": 443, "scheme": "https"}, False, None),
    ({"derivePort": "FROM_REQUEST_PORT"}, False, 8080),
    ({"derivePort": "FROM_PROTOCOL_DEFAULT"}, False, None),
]


@pytest.mark.parametrize(("written", "tls", "port"), REDIRECTS)
def test_a_redirect_names_no_port_that_its_scheme_means(written, tls, port):
    assert redirect_port(HTTPRedirect.model_validate(written), 8080, tls=tls) == port
