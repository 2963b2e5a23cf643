"""What a matched route does. Header operations, rewrites and redirects were measured on Envoy 1.40."""

from fractions import Fraction

import pytest
from istio_world import at_gateway, from_pod, in_mesh, rule, says, service, target, to, virtual_service, who, world

from meshconfig.simulate import Destination, DirectResponse, Failure, Mirror, Redirect


def acted(*routes, path="/", headers=(), **request):
    return at_gateway(world(virtual_service("vs", *routes)), path, headers, **request)


def weighted(*weights, **route):
    return {"route": [target(f"{name}", weight=weight) for name, weight in weights], **route}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([("prod", 90), ("gray", 10)], {"cat/prod": Fraction(9, 10), "cat/gray": Fraction(1, 10)}),
        ([("prod", 1), ("gray", 2)], {"cat/prod": Fraction(1, 3), "cat/gray": Fraction(2, 3)}),
        ([("prod", None), ("gray", 100)], "cat/gray"),
        ([("prod", 0), ("gray", 7)], "cat/gray"),
        ([("prod", None)], "cat/prod"),
        ([("prod", 0)], "cat/prod"),
        ([("prod", 5), ("prod", 5)], "cat/prod"),
    ],
)
def test_weights(weights, expected):
    assert who(acted(weighted(*weights))) == expected


OPERATIONS = [
    ({"set": {"env": "s"}}, {}, (("b", "1"), ("env", "s"))),
    ({"add": {"env": "a"}}, {}, (("env", "1"), ("b", "1"), ("env", "2"), ("env", "a"))),
    ({"remove": ["Env"]}, {}, (("b", "1"),)),
    ({"set": {"env": "s"}, "add": {"env": "a"}, "remove": ["env"]}, {}, (("b", "1"), ("env", "s"), ("env", "a"))),
    ({"set": {"env": ""}}, {}, (("env", "1"), ("b", "1"), ("env", "2"))),
    ({"set": {"ENV": "S"}}, {}, (("b", "1"), ("env", "S"))),
    ({"set": {"x": "100%%"}, "remove": ["env", "b"]}, {}, (("x", "100%"),)),
    ({"set": {"env": "route"}}, {"set": {"env": "dst"}}, (("b", "1"), ("env", "dst"))),
    ({"set": {"env": "route"}}, {"remove": ["env"]}, (("b", "1"), ("env", "route"))),
    ({"remove": ["env"]}, {"set": {"env": "dst"}}, (("b", "1"), ("env", "dst"))),
]
SENT = (("env", "1"), ("b", "1"), ("env", "2"))


@pytest.mark.parametrize(("route", "destination", "expected"), OPERATIONS)
def test_header_operations_of_a_single_destination(route, destination, expected):
    one = target("prod", headers={"request": destination})
    decision = acted({"route": [one], "headers": {"request": route}}, headers=SENT)
    assert sorted(decision.outcome.headers) == sorted(expected)


WEIGHTED = [
    ({"set": {"env": "route"}}, {"set": {"env": "dst"}}, (("b", "1"), ("env", "route"))),
    ({"remove": ["env"]}, {"set": {"env": "dst"}}, (("b", "1"),)),
    ({"add": {"env": "route"}}, {"set": {"env": "dst"}}, (("b", "1"), ("env", "dst"), ("env", "route"))),
]


@pytest.mark.parametrize(("route", "destination", "expected"), WEIGHTED)
def test_with_several_destinations_the_routes_operations_come_last(route, destination, expected):
    every = [target(name, weight=1, headers={"request": destination}) for name in ("prod", "gray")]
    decision = acted({"route": every, "headers": {"request": route}}, headers=SENT)
    assert {tuple(sorted(one.headers)) for one in decision.destinations} == {tuple(sorted(expected))}
    zero = [target("prod", weight=0), target("gray", weight=1, headers={"request": destination})]
    decision = acted({"route": zero, "headers": {"request": route}}, headers=SENT)
    assert sorted(decision.outcome.headers) == sorted(expected)


def test_each_share_has_its_own_headers():
    every = [target(name, weight=1, headers={"request": {"set": {"env": name}}}) for name in ("prod", "gray")]
    decision = acted({"route": every}, headers=SENT)
    assert {(one.subset, dict(one.headers)["env"]) for one in decision.destinations} == {
        ("prod", "prod"),
        ("gray", "gray"),
    }


def test_matching_comes_before_header_operations():
    tagged = {"headers": {"env": {"exact": "gray"}}}
    decision = acted(
        to("gray", tagged, headers={"request": {"remove": ["env"]}}), to("prod"), headers=[("env", "gray")]
    )
    assert who(decision) == "cat/gray"
    assert decision.outcome.headers == ()


def test_the_authority_that_goes_on():
    assert acted(to("prod")).outcome.authority == "shop.example.com"
    assert (
        acted(to("prod", rewrite={"authority": "r"}, headers={"request": {"set": {"host": "h"}}})).outcome.authority
        == "r"
    )
    by_header = acted(to("prod", headers={"request": {"set": {":authority": "h", "x": "1"}}})).outcome
    assert (by_header.authority, by_header.headers) == ("h", (("x", "1"),))
    own = [target("prod", headers={"request": {"set": {"Host": "d"}}})]
    sent = acted({"route": own}).outcome
    assert (sent.authority, sent.headers) == ("d", ())


REWRITES = [
    ({"uri": {"prefix": "/a"}}, {"uri": "/b"}, "/a/c?q=/a", "/b/c?q=/a"),
    ({"uri": {"prefix": "/a"}}, {"uri": "/b"}, "/ac", "/bc"),
    ({"uri": {"prefix": "/a/"}}, {"uri": "/"}, "/a/c", "/c"),
    ({"uri": {"exact": "/a"}}, {"uri": "/b"}, "/a?q", "/b?q"),
    ({"uri": {"regex": "/a.*"}}, {"uri": "/b"}, "/a/c?q", "/b?q"),
    ({"uri": {"prefix": "/A"}, "ignoreUriCase": True}, {"uri": "/b"}, "/a/c", "/b/c"),
    ({"method": {"exact": "GET"}}, {"uri": "/b"}, "/a", "/ba"),
    ({"uri": {}}, {"uri": "/b"}, "/a", "/ba"),
    ({}, {"uriRegexRewrite": {"match": "/a/([^/]+)/(.*)", "rewrite": r"/\2/\1\\"}}, "/a/x/y?q", "/y/x\\?q"),
    ({}, {"uriRegexRewrite": {"match": "a", "rewrite": "bb"}}, "/aca?a", "/bbcbb?a"),
    ({}, {"uriRegexRewrite": {"match": "x*", "rewrite": "-"}}, "/h/axxb", "-/-h-/-a-b-"),
    ({}, {"uriRegexRewrite": {"match": "/(x)?a", "rewrite": r"/b\1"}}, "/a", "/b"),
    ({"uri": {"prefix": "/a"}}, {"authority": "h"}, "/a/../a/c", "/a/c"),
]


@pytest.mark.parametrize(("match", "rewrite", "path", "expected"), REWRITES)
def test_rewrites(match, rewrite, path, expected):
    assert acted(to("prod", match, rewrite=rewrite), path=path).outcome.path == expected


REDIRECTS = [
    ({"uri": "/n"}, "", 301, "http://shop.example.com/n?q=1"),
    ({"uri": "/n?z"}, ":8080", 301, "http://shop.example.com:8080/n?z"),
    ({"authority": "o.org", "redirectCode": 302}, ":80", 302, "http://o.org/x?q=1"),
    ({"scheme": "https", "port": 8443}, ":80", 301, "https://shop.example.com:8443/x?q=1"),
    ({"scheme": "https"}, ":80", 301, "https://shop.example.com/x?q=1"),
    ({"scheme": "https"}, ":8080", 301, "https://shop.example.com:8080/x?q=1"),
    ({"scheme": "https"}, ":443", 301, "https://shop.example.com:443/x?q=1"),
    ({"scheme": "http"}, ":80", 301, "http://shop.example.com:80/x?q=1"),
    ({"redirectCode": 303}, "", 303, "http://shop.example.com/x?q=1"),
    ({"redirectCode": 307}, "", 307, "http://shop.example.com/x?q=1"),
    ({"redirectCode": 308}, "", 308, "http://shop.example.com/x?q=1"),
    ({"redirectCode": 0}, "", 301, "http://shop.example.com/x?q=1"),
    ({"authority": "o.org", "port": 80}, "", 301, "http://o.org/x?q=1"),
    ({"scheme": "https", "derivePort": "FROM_REQUEST_PORT"}, "", 301, "https://shop.example.com:80/x?q=1"),
    ({"scheme": "https", "derivePort": "FROM_PROTOCOL_DEFAULT"}, "", 301, "https://shop.example.com/x?q=1"),
]


@pytest.mark.parametrize(("redirect", "port", "status", "location"), REDIRECTS)
def test_redirects(redirect, port, status, location):
    decision = acted({"redirect": redirect}, path="/x?q=1", host=f"shop.example.com{port}", port=80)
    assert decision.outcome == Redirect(status, location)


def test_a_redirect_of_a_prefix():
    decision = acted({"match": [{"uri": {"prefix": "/x"}}], "redirect": {"prefixRewrite": "/y"}}, path="/x/z?q")
    assert decision.outcome.location == "http://shop.example.com/y/z?q"


def test_a_direct_response():
    assert acted({"directResponse": {"status": 299, "body": {"string": "hi"}}}).outcome == DirectResponse(299, "hi")
    assert acted({"directResponse": {"status": 299}}).outcome == DirectResponse(299, "")


def fault(percent, **kind):
    share = {} if percent is None else {"percentage": {"value": percent}}
    return {"abort": {**kind, **share}}


def test_an_injected_abort_takes_its_share_before_the_route_acts():
    decision = acted(weighted(("prod", 1), ("gray", 1), fault=fault(20, httpStatus=418)))
    assert who(decision) == {418: Fraction(1, 5), "cat/prod": Fraction(2, 5), "cat/gray": Fraction(2, 5)}
    assert who(acted({"redirect": {"uri": "/n"}, "fault": fault(100, httpStatus=418)})) == 418
    assert who(acted(to("prod", fault=fault(None, httpStatus=418)))) == "cat/prod"
    assert who(acted(to("prod", fault=fault(0.0001, httpStatus=418))))[418] == Fraction(1, 1_000_000)
    grpc = acted(to("prod", fault=fault(100, grpcStatus="NOT_FOUND"))).outcome
    assert grpc == Failure(200, "injected fault, gRPC status NOT_FOUND")
    assert who(acted({"redirect": {"uri": "/n"}, "fault": fault(50, httpStatus=418)})) == {
        418: Fraction(1, 2),
        301: Fraction(1, 2),
    }
    assert who(acted(says(201, fault=fault(25, httpStatus=418)))) == {418: Fraction(1, 4), 201: Fraction(3, 4)}


def test_a_delay_changes_no_decision():
    assert who(acted(to("prod", fault={"delay": {"fixedDelay": "1s", "percentage": {"value": 100}}}))) == "cat/prod"


def test_mirrors():
    mirrored = to("prod", mirror=target("gray", "mouse")["destination"], mirrorPercentage={"value": 25})
    assert acted(mirrored).mirrors == (Mirror("mouse.demo.svc.cluster.local", 9001, "gray", Fraction(1, 4)),)
    several = to(
        "prod",
        mirrors=[{"destination": {"host": "mouse"}}, {"destination": {"host": "cat"}, "percentage": {"value": 0}}],
    )
    assert acted(several).mirrors == (Mirror("mouse.demo.svc.cluster.local", 9001, "", Fraction(1)),)
    half_gone = to("prod", mirror={"host": "mouse"}, fault=fault(50, httpStatus=500))
    assert acted(half_gone).mirrors[0].share == Fraction(1, 2)
    assert acted(to("prod", mirror={"host": "mouse"}, mirrorPercent=10)).mirrors[0].share == Fraction(1, 10)
    assert acted(to("prod", mirror={"host": "nobody"})).mirrors == ()
    assert acted(says(201, mirror={"host": "mouse"})).mirrors == ()
    assert acted({"redirect": {"uri": "/n"}, "mirror": {"host": "mouse"}}).mirrors == ()


def test_a_destination_that_does_not_exist_is_503_for_its_share():
    lost = acted({"route": [target("blue", weight=1), target("prod", weight=3)]})
    assert who(lost) == {503: Fraction(1, 4), "cat/prod": Fraction(3, 4)}
    assert (
        lost.shares[0].outcome.why
        == "cluster not found: no DestinationRule of cat.demo.svc.cluster.local has subset blue"
    )
    assert (
        acted(to(host="nobody")).outcome.why == "cluster not found: there is no Service nobody.demo.svc.cluster.local"
    )
    assert acted({"route": [target(port=81)]}).outcome.why.endswith("has no port 81")


TWO_PORTS = service("two", ports=((9001, "http"), (9002, "http-b")))


def test_the_port_that_a_destination_leaves_open():
    """A gateway takes the Service's only port; a sidecar the port that it was called on."""
    index = world(TWO_PORTS, virtual_service("vs", to("", {"uri": {"prefix": "/two"}}, host="two"), to("prod")))
    assert at_gateway(index).outcome.port == 9001
    assert who(at_gateway(index, "/two")) == 503
    calls = world(TWO_PORTS, in_mesh("vs", to("prod", host="cat"), hosts=("two",)))
    assert from_pod(calls, "two", port=9001).outcome.port == 9001
    assert who(from_pod(calls, "two", port=9002)) == 503


def test_the_outcome_tells_workloads_and_labels():
    one = acted(to("gray")).outcome
    assert isinstance(one, Destination)
    assert (one.host, one.port, one.labels) == ("cat.demo.svc.cluster.local", 9001, (("env", "gray"),))
    assert (one.workloads, one.preferred) == (("demo/cat-gray",), ("demo/cat-gray",))


def test_a_subset_whose_pods_are_not_there():
    index = world(rule("cat", ("blue",), name="more"), virtual_service("vs", to("blue")))
    assert at_gateway(index).outcome.workloads == ()
