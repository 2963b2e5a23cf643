"""Connections in which a proxy reads no HTTP: tcp and tls routes, in the mesh and at gateways."""

from fractions import Fraction

import pytest
from istio_world import (
    at_gateway,
    from_pod,
    gateway,
    in_mesh,
    manifest,
    rule,
    says,
    service,
    virtual_service,
    who,
    world,
)

ECHO = "echo.demo.svc.cluster.local"
BOTH = rule("echo", ("v1", "v2"))


def echo(protocol="tcp", port=9000, name="echo"):
    return service(name, ports=((port, protocol),))


def split(*shares, host="echo", **match):
    """A tcp or tls route: (subset, weight) pairs."""
    route = [{"destination": {"host": host, "subset": subset}, "weight": weight} for subset, weight in shares]
    return {"route": route, **({"match": [match]} if match else {})}


def tcp(*routes, name="echo", hosts=("echo",), **more):
    return in_mesh(name, hosts=hosts, tcp=list(routes), **more)


def asked(*manifests, host="echo:9000", **more):
    return from_pod(world(echo(), BOTH, *manifests), host, port=None, **more)


@pytest.mark.parametrize("weights", [(80, 20), (1, 99), (50, 50)])
def test_weights_of_a_tcp_route(weights):
    decision = asked(tcp(split(("v1", weights[0]), ("v2", weights[1]), port=9000)))
    assert who(decision) == {"echo/v1": Fraction(weights[0], 100), "echo/v2": Fraction(weights[1], 100)}
    assert str(decision.route) == "VirtualService demo/echo tcp[0]"
    assert decision.assumed == decision.undecided == ()


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ({"port": 9000}, True),
        ({"port": 9001}, False),
        ({"sourceLabels": {"app": "probe"}}, True),
        ({"sourceLabels": {"app": "other"}}, False),
        ({"sourceNamespace": "demo"}, True),
        ({"sourceNamespace": "other"}, False),
        ({"gateways": ["mesh"]}, True),
        ({"gateways": ["gw"]}, False),
        ({"gateways": ["mesh"], "sourceLabels": {"app": "other"}}, False),
    ],
)
def test_conditions_of_a_tcp_route(match, taken):
    decision = asked(tcp(split(("v1", 0), **match)))
    assert who(decision) == ("echo/v1" if taken else "echo")
    assert bool(decision.skipped) is not taken
    if not taken:
        assert decision.assumed == (f"port 9000 of {ECHO} is tcp, not HTTP, by its name: no http route applies",)


def test_the_tcp_routes_of_every_virtual_service_of_a_host_are_asked():
    """Unlike http routes, of which only the first VirtualService's count."""
    none = tcp(split(("v1", 0), port=1), name="a")
    wide = tcp(split(("v2", 0)), name="b", hosts=("*.demo.svc.cluster.local",))
    assert who(asked(none, wide)) == "echo/v2"
    assert who(asked(tcp(split(("v1", 0)), name="z"), wide)) == "echo/v2"


def test_a_tcp_route_beside_http_ones():
    both = in_mesh("echo", says(201), hosts=("echo",), tcp=[split(("v2", 0))])
    assert who(asked(both)) == "echo/v2"
    assert who(from_pod(world(echo("http"), BOTH, both), "echo", port=9000)) == 201


def test_a_subset_that_a_tcp_route_lacks_closes_the_connection():
    decision = asked(tcp(split(("v3", 0))))
    assert who(decision) == 0
    assert "no DestinationRule of echo.demo.svc.cluster.local has subset v3" in str(decision.outcome)


def test_a_tcp_destination_without_a_port_takes_its_services_only_one():
    other = service("db", ports=((5432, "tcp"),))
    assert asked(other, tcp(split(("", 0), host="db"))).outcome.port == 5432


def test_what_a_tcp_route_asks_and_nobody_knows():
    assert "destinationSubnets" in asked(tcp(split(("v1", 0), destinationSubnets=["10.0.0.0/8"]))).undecided[0]


TLS = {"host": "pay:443", "scheme": "https"}


def tls(*names, subset="v1", name="pay", hosts=("pay",), **more):
    return in_mesh(name, hosts=hosts, tls=[split((subset, 0), host="pay", sniHosts=list(names))], **more)


def paid(*manifests, **more):
    index = world(echo("https", 443, "pay"), rule("pay", ("v1", "v2")), *manifests)
    return from_pod(index, port=None, **{**TLS, **more})


@pytest.mark.parametrize("name", ["pay", "*", "p*y", "other"])
def test_a_tls_route_asks_for_the_server_name(name):
    decision = paid(tls(name))
    assert who(decision) == ("pay/v1" if name in ("pay", "*") else 0)


def test_the_most_specific_server_name_wins_and_without_routes_the_service():
    assert who(paid(tls("*"), tls("pay", subset="v2", name="second"))) == "pay/v2"
    assert who(paid()) == "pay"
    assert who(paid(tls("pay"), scheme="http")) == 0


def passing(number=8443, hosts=("b.example.com",)):
    return gateway("pass", hosts, port=number, protocol="HTTPS", tls={"mode": "PASSTHROUGH"})


def at_pass(*routes, kind="tls", host="b.example.com", **more):
    vs = virtual_service("b", hosts=("b.example.com",), gateways=("pass",), **{kind: list(routes)})
    return at_gateway(world(passing(), echo("https", 443), BOTH, vs), host=host, scheme="https", **more)


def test_a_gateway_that_passes_tls_on_routes_by_server_name():
    decision = at_pass(split(("v1", 30), ("v2", 70), sniHosts=["b.example.com"]), port=8443)
    assert who(decision) == {"echo/v1": Fraction(3, 10), "echo/v2": Fraction(7, 10)}
    assert decision.outcome is None
    other = at_pass(split(("v1", 0), sniHosts=["c.example.com"]), port=8443)
    where = "on port 8443, Gateway demo/pass passes TLS on unread"
    assert str(other.outcome) == f"no connection: {where}, and no tls route there has the server name b.example.com"
    assert str(other.skipped[0]) == "sniHosts: c.example.com ≠ b.example.com"


def test_a_gateways_tls_match_asks_for_no_labels():
    """Pilot compares port and gateways alone there."""
    match = {"sniHosts": ["b.example.com"], "sourceLabels": {"no": "such"}}
    assert who(at_pass(split(("v1", 0), **match))) == "echo/v1"
    assert who(at_pass(split(("v1", 0), **match, port=443))) == 0
    assert who(at_pass(split(("v1", 0), **match, gateways=["other"]))) == 0
    assert who(at_pass(split(("v1", 0), **match, port=8443, gateways=["pass"]))) == "echo/v1"


def test_a_gateway_that_forwards_bytes_routes_by_port():
    raw = gateway("raw", ["*"], port=31400, protocol="TCP")
    vs = virtual_service("b", hosts=("*",), gateways=("raw",), tcp=[split(("v1", 0), port=31400)])
    index = world(raw, echo(), BOTH, vs)
    assert who(at_gateway(index, host="any.org:31400")) == "echo/v1"
    assert who(at_gateway(index, host="any.org:31400", scheme="https")) == "echo/v1"
    alone = at_gateway(world(raw, echo()), host="any.org:31400")
    assert str(alone.outcome) == (
        "no connection: on port 31400, Gateway demo/raw forwards bytes unread, and no tcp route there takes it"
    )


def test_auto_passthrough_is_not_modelled_and_said_so():
    auto = gateway("auto", ["*.local"], port=15443, protocol="TLS", tls={"mode": "AUTO_PASSTHROUGH"})
    decision = at_gateway(world(auto), host="x.local:15443", scheme="https")
    assert "AUTO_PASSTHROUGH of Gateway demo/auto is not modelled" in decision.undecided


def test_a_service_entry_by_tls():
    entry = manifest(
        "ServiceEntry",
        "ext",
        {"hosts": ["api.example.org"], "ports": [{"number": 443, "name": "t", "protocol": "TLS"}]},
    )
    route = in_mesh("e", hosts=("api.example.org",), tls=[split(("", 0), host="cat", sniHosts=["*.example.org"])])
    asked = {"host": "api.example.org", "port": 443}
    assert who(from_pod(world(entry, route), scheme="https", **asked)) == "cat"
    assert who(from_pod(world(entry, route), **asked)) == 0
    assert who(from_pod(world(entry), scheme="https", **asked)) == "api"


def test_of_two_routes_with_one_server_name_the_first_takes_it():
    """The later of two filter chains with equal conditions is dropped."""
    both = in_mesh(
        "pay", hosts=("pay",), tls=[split((one, 0), host="pay", sniHosts=["pay"]) for one in ("v1", "v2", "v1")]
    )
    assert who(paid(both)) == "pay/v1"
    assert who(paid(tls("pay", subset="v2", name="a"), tls("pay", name="b"))) == "pay/v2"
    routes = [split((one, 0), sniHosts=["b.example.com"]) for one in ("v2", "v1")]
    assert who(at_pass(*routes, port=8443)) == "echo/v2"


def wild(host="*.wild.test", protocol="TLS"):
    port = {"number": 443, "name": "p", "protocol": protocol}
    return manifest("ServiceEntry", "wild", {"hosts": [host], "ports": [port], "resolution": "NONE"})


@pytest.mark.parametrize("hosts", [("*.wild.test",), ("a.wild.test",), ("*.a.wild.test", "a.wild.test"), ("*.test",)])
def test_tls_routes_of_a_host_that_a_service_entrys_wildcard_covers(hosts):
    route = in_mesh("w", hosts=hosts, tls=[split(("", 0), host="cat", sniHosts=["a.wild.test"])])
    index = world(wild(), route)
    assert who(from_pod(index, "a.wild.test", scheme="https", port=443)) == "cat"
    assert who(from_pod(index, "b.wild.test", scheme="https", port=443)) == 0


def test_a_service_entrys_wildcard_with_tcp_routes_and_with_none():
    route = in_mesh("w", hosts=("*.wild.test",), tcp=[split(("", 0), host="cat")])
    assert who(from_pod(world(wild(protocol="TCP"), route), "a.wild.test", port=443)) == "cat"
    assert from_pod(world(wild()), "a.wild.test", scheme="https", port=443).outcome.host == "*.wild.test"
