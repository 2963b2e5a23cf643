"""At which port a request reaches a gateway: the authority's, its scheme's, or that of a Service in front."""

import pytest
from istio_world import BASE, at_gateway, deployment, gateway, manifest, says, service, to, virtual_service, who, world

A_HOST = "a.example.com"
TLS = {"mode": "SIMPLE", "credentialName": "c"}


def front(*ports, name="istio-ingressgateway", namespace="istio-system", **selector):
    """The Service in front of a gateway: (port, targetPort) pairs."""
    listed = [{"port": port, "targetPort": target, "name": f"p{port}"} for port, target in ports]
    spec = {"ports": listed, "selector": selector or {"istio": "ingressgateway"}}
    return manifest("Service", name, spec, namespace, "v1")


def served(*manifests, host=A_HOST, base=BASE[1:], **request):
    return at_gateway(
        world(*manifests, virtual_service("vs", says(201), hosts=(A_HOST,)), base=base), host=host, **request
    )


@pytest.mark.parametrize("number", [8080, 81, 15443])
@pytest.mark.parametrize("named", [True, False])
def test_the_authority_names_the_port(number, named):
    decision = served(gateway(port=number), host=f"{A_HOST}:{number}" if named else A_HOST)
    assert who(decision) == 201
    # A port that nobody said is one that has to be told.
    assert [one for one in decision.assumed if str(number) in one] == (
        [] if named else [f"the client calls port {number}, on which Gateway demo/gw listens"]
    )


@pytest.mark.parametrize(
    ("host", "more"), [(f"{A_HOST}:9999", {}), (A_HOST, {"port": 9999}), (f"{A_HOST}:8080", {"port": 9999})]
)
def test_a_port_without_a_server_is_told_with_the_one_that_has_it(host, more):
    decision = served(gateway(port=8080), host=host, **more)
    assert decision.outcome.status == 0
    assert decision.outcome.why == (
        "no connection: no Gateway serves a.example.com on port 9999; Gateway demo/gw does on port 8080"
    )


def test_a_404_is_only_said_where_a_gateway_listens():
    both = (gateway("other", ["b.org"], port=9999), gateway(port=8080))
    decision = served(*both, host=f"{A_HOST}:9999")
    assert str(decision.outcome).startswith("404 no Gateway serves a.example.com on port 9999; Gateway demo/gw does")
    assert str(served(base=()).outcome) == "no connection: no Gateway serves a.example.com on port 80"


def test_several_ports_leave_open_which_is_called():
    two = (gateway("g1", port=8080), gateway("gw", port=8081))
    decision = served(*two)
    assert decision.undecided == ("which port is called: a.example.com is served on 8081 too",)
    assert who(served(*two, host=f"{A_HOST}:8081")) == 201
    assert served(*two, host=f"{A_HOST}:8081").undecided == ()
    assert who(served(gateway(port=80), gateway("g2", port=8080))) == 201


def test_https_has_a_port_of_its_own():
    secure = gateway(port=8443, protocol="HTTPS", tls=TLS)
    assert who(served(secure, scheme="https")) == 201
    assert who(served(secure, scheme="https", host=f"{A_HOST}:8443")) == 201
    where = "on port 8443, Gateway demo/gw ends TLS and routes the HTTP inside"
    plain = served(secure, host=f"{A_HOST}:8443")
    assert str(plain.outcome) == f"no connection: {where}, and the client speaks plain HTTP"
    assert "and the client speaks TLS" in str(served(gateway(port=8080), scheme="https", port=8080).outcome)


@pytest.mark.parametrize(
    ("pairs", "server", "called", "expected"),
    [
        (((80, 8080),), 8080, None, 201),  # the Gateway names the Pods' port
        (((80, 8080),), 80, None, 201),  # the Gateway names the Service's port
        (((80, 8080),), 80, 8080, 201),  # both lead to one listener
        (((80, 8080),), 8080, 80, 201),
        (((80, 8080), (8081, 8081)), 8081, 80, 0),
        (((31400, 80),), 80, 31400, 201),
        (((80, "http2"),), 80, None, 201),
    ],
)
def test_a_service_in_front_translates_its_port(pairs, server, called, expected):
    decision = served(front(*pairs), gateway(port=server), port=called)
    assert who(decision) == expected
    assert decision.undecided == ()


def test_a_target_port_by_name_is_looked_up_in_the_pods():
    pods = deployment("edge", "prod", "istio-system", istio="ingressgateway")
    pods["spec"]["template"]["spec"] = {
        "containers": [{"name": "p", "ports": [{"name": "web", "containerPort": 8080}]}]
    }
    assert who(served(front((80, "web"), app="edge"), pods, gateway(port=8080), port=80)) == 201
    assert who(served(front((80, "web"), app="other"), pods, gateway(port=8080), port=80)) == 0


def test_servers_of_two_gateways_meet_on_one_listener():
    two = (front((80, 8080)), gateway("gw", [A_HOST], port=80), gateway("gw2", [A_HOST], port=8080))
    second = virtual_service("b", says(202, {"uri": {"prefix": "/b"}}), hosts=(A_HOST,), gateways=("gw2",))
    assert who(served(*two, second, path="/b")) == 202
    assert who(served(*two, second, path="/")) == 201


def test_a_match_for_a_port_asks_for_the_number_in_the_gateway():
    """Seen by pilot, a route's port is its server's, whatever port the client calls."""
    by_port = virtual_service("by", says(202, {"port": 8080}), says(203, {"port": 80}), hosts=(A_HOST,))
    for number, status in ((8080, 202), (80, 203)):
        index = world(front((80, 8080)), gateway(port=number), by_port, base=BASE[1:])
        assert who(at_gateway(index, host=A_HOST, port=80)) == status


def test_a_destination_without_a_port_takes_the_number_in_the_gateway():
    two = service("two", ports=((8080, "http"), (80, "http-b")))
    index = world(
        front((80, 8080)), gateway(port=8080), two, virtual_service("v", to(host="two"), hosts=(A_HOST,)), base=()
    )
    assert at_gateway(index, host=A_HOST).outcome.port == 8080


def test_a_gateway_that_is_named_is_reached_by_any_port_of_a_load_balancer():
    assert who(served(gateway(port=80), host=f"{A_HOST}:31380", gateway="demo/gw")) == 201
    assert served(gateway(port=80), host=f"{A_HOST}:31380", gateway="demo/gw").assumed[-1] == (
        "the client calls port 80, on which Gateway demo/gw listens"
    )
    assert who(served(gateway(port=80), port=31380, gateway="demo/gw")) == 0
