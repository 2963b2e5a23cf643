"""ExternalNames, the Pods of headless Services, and half names: hosts that Services take in another way."""

import pytest
from istio_world import (
    at_gateway,
    deployment,
    from_pod,
    in_mesh,
    manifest,
    rule,
    says,
    service,
    to,
    virtual_service,
    who,
    world,
)

from meshconfig.simulate import Passthrough

CAT = "cat.demo.svc.cluster.local"
LEGACY = "legacy.demo.svc.cluster.local"


def alias(name="legacy", of=CAT, ports=(), **more):
    """An ExternalName: of a Service of the mesh, with ports or without."""
    return service(name, ports=ports, type="ExternalName", externalName=of, selector={}, **more)


PORTS = [(), ((9001, "http"),), ((1, "tcp"),)]


@pytest.mark.parametrize("ports", PORTS)
@pytest.mark.parametrize("host", ["legacy", "legacy.demo", LEGACY, "LEGACY", "legacy:9001"])
def test_an_external_name_leads_to_its_service_by_any_of_its_names(host, ports):
    decision = from_pod(world(alias(ports=ports)), host)
    assert who(decision) == "cat"
    assert decision.undecided == ()


def test_the_routes_of_the_service_behind_it_apply():
    index = world(alias(), in_mesh("vs", says(201), says(202, {"uri": {"prefix": "/b"}})))
    assert who(from_pod(index, "legacy")) == 201


def test_an_external_name_of_an_external_name():
    index = world(alias(), alias("older", LEGACY), in_mesh("vs", says(201)))
    assert who(from_pod(index, "older")) == 201
    loop = world(alias("a", "b.demo.svc.cluster.local"), alias("b", "a.demo.svc.cluster.local"))
    assert "leads back to it" in from_pod(loop, "a").outcome.why


@pytest.mark.parametrize("ports", [(), ((8080, "http"),)])
def test_an_external_name_called_on_a_port_that_its_service_lacks(ports):
    outcome = from_pod(world(alias(ports=ports), service("cat", ports=((80, "http"),))), "legacy", port=8080).outcome
    assert isinstance(outcome, Passthrough)
    assert outcome.why == "the Service has no port 8080, but 80"


def test_an_external_name_of_what_the_mesh_does_not_know():
    index = world(alias(of="example.org", ports=((80, "http"),)))
    outcome = from_pod(index, "legacy", port=80).outcome
    assert isinstance(outcome, Passthrough)
    assert outcome.why == "it is an ExternalName of example.org, which no Service or ServiceEntry has"
    entry = {"hosts": ["example.org"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}
    known = world(alias(of="example.org"), manifest("ServiceEntry", "e", entry))
    assert from_pod(known, "legacy", port=80).outcome.host == "example.org"


@pytest.mark.parametrize(
    ("ports", "host", "expected"),
    [
        (((9001, "http"),), "legacy", 201),
        (((9001, "http"),), "legacy.demo", 201),
        ((), "legacy", "cat"),  # without the port it is no Service on it
        ((), LEGACY, "cat"),
        (((9001, "tcp"),), "legacy", "cat"),
    ],
)
def test_a_virtual_service_of_an_external_names_own_host(ports, host, expected):
    assert who(from_pod(world(alias(ports=ports), in_mesh("vs", says(201), hosts=("legacy",))), host)) == expected


def test_on_port_80_the_full_name_of_an_external_name_is_a_host_without_a_service():
    web = service("web", ports=((80, "http"),))
    index = world(web, alias(of="web.demo.svc.cluster.local"), in_mesh("vs", says(201), hosts=("legacy",)))
    assert who(from_pod(index, LEGACY, port=80)) == 201
    assert who(from_pod(index, "legacy", port=80)) == "web"


def test_of_two_virtual_services_of_an_external_name_and_its_service_the_older_wins():
    ages = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    for own, others, expected in ((*ages, 201), (*ages[::-1], 202)):
        index = world(
            alias(ports=((9001, "http"),)),
            in_mesh("a", says(201), hosts=("legacy",), created=own),
            in_mesh("b", says(202), created=others),
        )
        assert who(from_pod(index, "legacy")) == expected
        assert who(from_pod(index, "cat")) == 202


def routed(*manifests, subset="", port=None, **more):
    destination = {"host": LEGACY, "subset": subset, **({"port": {"number": port}} if port else {})}
    return at_gateway(world(virtual_service("vs", {"route": [{"destination": destination}]}), *manifests), **more)


@pytest.mark.parametrize("ports", PORTS)
def test_an_external_name_as_a_destination_at_a_gateway(ports):
    decision = routed(alias(ports=ports), port=9001)
    assert (decision.outcome.host, decision.outcome.port) == (CAT, 9001)
    assert who(routed(alias(ports=ports), port=9001, subset="gray")) == "cat/gray"
    assert who(routed(alias(ports=ports), rule("legacy", ("v9",)), port=9001, subset="v9")) == 503


def test_a_destination_follows_one_external_name_and_no_second():
    decision = routed(alias("older"), alias(of="older.demo.svc.cluster.local"), port=9001)
    assert str(decision.outcome).startswith(
        "503 cluster not found: legacy.demo.svc.cluster.local is an ExternalName of"
    )
    assert str(routed(alias(of="example.org"), port=80).outcome) == (
        "503 cluster not found: legacy.demo.svc.cluster.local is an ExternalName of example.org, which no Service or "
        "ServiceEntry has"
    )


@pytest.mark.parametrize(("ports", "expected"), [((), 503), (((9001, "http"),), "cat"), (((80, "http"),), 503)])
def test_an_external_name_as_a_destination_in_the_mesh(ports, expected):
    """A sidecar knows it on its own ports alone: on the port of the listener, that is."""
    index = world(alias(ports=ports), in_mesh("vs", to(host="legacy"), hosts=("mouse",)))
    assert who(from_pod(index, "mouse")) == expected


def headless(name="db", ports=((9001, "http"),), **more):
    return service(name, ports=ports, clusterIP="None", **more)


POD_NAMES = ["db-0.db", "db-0.db.demo", "db-0.db.demo.svc", "db-0.db.demo.svc.cluster.local", "DB-0.db.demo:9001"]


@pytest.mark.parametrize("host", POD_NAMES)
def test_the_pod_of_a_headless_service(host):
    sets = [manifest("StatefulSet", "db", {"template": {"metadata": {"labels": {"app": "db"}}}}, api="apps/v1")]
    decision = from_pod(world(headless(), deployment("db", "prod"), *sets), host)
    assert who(decision) == "db"
    assert decision.undecided == ()
    assert decision.outcome.workloads == ("demo/db",)
    assert decision.assumed == ("the request goes to Pod demo/db-0, as DNS gave the client its address",)


@pytest.mark.parametrize("host", POD_NAMES)
def test_the_routes_of_a_headless_service_apply_to_its_pods_names(host):
    index = world(headless(), in_mesh("vs", says(201, {"uri": {"prefix": "/a"}}), to(host="db"), hosts=("db",)))
    assert who(from_pod(index, host, "/a")) == 201
    assert who(from_pod(index, host, "/")) == "db"


def test_what_is_no_pod_of_a_headless_service():
    assert isinstance(from_pod(world(headless(namespace="other")), "db-0.db").outcome, Passthrough)
    assert isinstance(from_pod(world(service("db")), "db-0.db.demo").outcome, Passthrough)
    assert isinstance(from_pod(world(headless()), "a.db-0.db.demo").outcome, Passthrough)
    assert who(from_pod(world(headless(namespace="other")), "db-0.db.other")) == "db"
    assert isinstance(from_pod(world(headless()), "db-0.db", port=1).outcome, Passthrough)


def test_the_tcp_routes_of_a_headless_service():
    route = {"route": [{"destination": {"host": "cat"}}]}
    index = world(headless(ports=((9001, "tcp"),)), in_mesh("vs", hosts=("db",), tcp=[route]))
    assert who(from_pod(index, "db-0.db")) == "cat"


def web(name="web", label="http", **more):
    return service(name, ports=((80, label),), **more)


@pytest.mark.parametrize(
    ("host", "written", "label", "port", "expected"),
    [
        ("web.demo", "web.demo", "http", 80, 201),  # the client writes what the VirtualService has
        ("web", "web.demo", "http", 80, "web"),
        ("web.demo.svc.cluster.local", "web.demo", "http", 80, "web"),
        ("web.demo.svc", "web.demo.svc", "http", 80, 201),
        ("web.demo", "web.demo", "", 80, "web"),  # a port that declares no protocol has a listener of its own
        ("cat.demo", "cat.demo", "http", 9001, "cat"),  # beside port 80, pilot takes such a host for nobody's
    ],
)
def test_a_half_name_is_a_host_of_its_own(host, written, label, port, expected):
    index = world(web(label=label), in_mesh("vs", says(201), hosts=(written,)))
    assert who(from_pod(index, host, port=port)) == expected


def test_a_half_name_and_the_services_own_virtual_service_the_older_wins():
    ages = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    for half, full, expected in ((*ages, 201), (*ages[::-1], 202)):
        index = world(
            web(),
            in_mesh("a", says(201), hosts=("web.demo",), created=half),
            in_mesh("b", says(202), hosts=("web",), created=full),
        )
        assert who(from_pod(index, "web.demo", port=80)) == expected
        assert who(from_pod(index, "web", port=80)) == 202


def test_the_name_of_a_pod_in_a_virtual_service_goes_before_its_service():
    pod = "db-0.db.demo.svc.cluster.local"
    old = in_mesh("a", says(202), hosts=("db",), created="2026-01-01T00:00:00Z")
    own = in_mesh("b", says(201), hosts=(pod,), created="2026-02-01T00:00:00Z")
    index = world(headless(ports=((80, "http"),)), old, own)
    assert who(from_pod(index, pod, port=80)) == 201
    assert who(from_pod(index, "db-1.db", port=80)) == 202


@pytest.mark.parametrize(
    ("ports", "scheme", "port"),
    [
        (((9090, "http-b"), (80, "http")), "http", 80),
        (((9090, "http-b"), (443, "http-s")), "https", 443),
        (((9090, "http-b"),), "http", 9090),
        (((9090, "http-b"), (81, "http")), "http", None),
    ],
)
def test_a_request_without_a_port_has_its_schemes(ports, scheme, port):
    decision = from_pod(world(service("many", ports=ports)), "many", port=None, scheme=scheme)
    assert decision.outcome.port == port
    assert any("which port" in one for one in decision.undecided) is (port is None)


def test_a_port_that_the_service_lacks_is_told_with_those_that_it_has():
    outcome = from_pod(world(service("many", ports=((80, "http"), (90, "grpc")))), "many", port=81).outcome
    assert outcome.why == "the Service has no port 81, but 80, 90"
