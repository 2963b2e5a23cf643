"""Which VirtualService a sidecar follows for a host. Checked against a real istiod and its sidecars."""

import pytest
from istio_world import at_gateway, from_pod, in_mesh, manifest, rule, says, service, to, virtual_service, who, world

from meshconfig.simulate import Passthrough, Request, simulate

CAT = "cat.demo.svc.cluster.local"


def sidecar(*hosts, namespace="demo", **spec):
    return manifest("Sidecar", "default", {"egress": [{"hosts": list(hosts)}], **spec}, namespace)


@pytest.mark.parametrize("host", ["cat", "cat.demo", "cat.demo.svc", CAT, CAT + ".", "CAT", f"{CAT}:9001"])
def test_a_service_under_any_of_its_names(host):
    assert who(from_pod(world(in_mesh("vs", says(201))), host)) == 201


def test_a_short_name_means_the_senders_namespace():
    index = world(in_mesh("vs", says(201)), service("cat", namespace="other"))
    assert who(from_pod(index, "cat", namespace="other")) == "cat"
    assert who(from_pod(index, "cat.demo", namespace="other")) == 201


def test_a_virtual_services_short_host_means_its_own_namespace():
    assert who(from_pod(world(in_mesh("vs", says(201), hosts=("dog",), namespace="other")), "dog.other")) == 201
    assert who(from_pod(world(in_mesh("vs", says(201), hosts=("dog",))), "dog.other")) == "dog"
    # Two labels are not a short name to Istio: the host is taken as it stands.
    assert who(from_pod(world(in_mesh("vs", says(201), hosts=("cat.demo",))))) == "cat"


def test_without_a_virtual_service_all_pods_of_the_service():
    decision = from_pod(world())
    assert who(decision) == "cat"
    assert decision.outcome.workloads == ("demo/cat-prod", "demo/cat-gray")
    assert decision.route is None


def test_of_two_virtual_services_of_a_host_the_older_wins_alone():
    young = in_mesh("a", says(202), created="2026-02-01T00:00:00Z")
    old = in_mesh("b", says(201, {"uri": {"prefix": "/a"}}), created="2026-01-01T00:00:00Z", hosts=(CAT,))
    index = world(young, old)
    assert who(from_pod(index, path="/a")) == 201
    assert who(from_pod(index, path="/b")) == 404


def test_one_private_to_the_senders_namespace_goes_before_older_public_ones():
    public = in_mesh("a", says(201), created="2026-01-01T00:00:00Z")
    private = in_mesh("b", says(202), hosts=(CAT,), namespace="other", exportTo=["."], created="2026-02-01T00:00:00Z")
    index = world(public, private)
    assert who(from_pod(index, namespace="demo")) == 201
    assert who(from_pod(index, CAT, namespace="other")) == 202


@pytest.mark.parametrize(
    ("export_to", "seen"),
    [(["other"], True), (["."], False), (["*"], True), (["~"], False), (["~", "other"], False), (["demo"], False)],
)
def test_export_to(export_to, seen):
    index = world(in_mesh("vs", says(201), exportTo=export_to))
    assert who(from_pod(index, CAT, namespace="other")) == (201 if seen else "cat")


def test_a_wildcard_stands_for_the_services_without_a_host_of_their_own():
    index = world(in_mesh("wild", says(201), hosts=("*.demo.svc.cluster.local",)), in_mesh("vs", says(202)))
    assert who(from_pod(index, "cat")) == 202
    assert who(from_pod(index, "mouse")) == 201
    assert who(from_pod(index, "dog.other")) == "dog"


def test_a_host_with_capitals_shares_its_service_with_a_wildcard():
    capital = in_mesh("a", says(201), hosts=("Cat",), created="2026-02-01T00:00:00Z")
    wild = in_mesh("b", says(202), hosts=("*.demo.svc.cluster.local",), created="2026-01-01T00:00:00Z")
    assert who(from_pod(world(capital))) == 201
    assert who(from_pod(world(capital, wild))) == 202
    wild["metadata"]["creationTimestamp"] = "2026-03-01T00:00:00Z"
    assert who(from_pod(world(capital, wild))) == 201


def test_the_longest_wildcard_wins():
    index = world(
        in_mesh("wide", says(201), hosts=("*.svc.cluster.local",)),
        in_mesh("narrow", says(202), hosts=("*.demo.svc.cluster.local",)),
    )
    assert who(from_pod(index)) == 202
    assert who(from_pod(index, "dog.other")) == 201


def test_one_private_goes_before_one_exported_by_name_before_a_public_one():
    ages = ("2026-03-01", "2026-02-01", "2026-01-01")
    private, named, public = (
        in_mesh(
            "vs",
            says(201 + number),
            hosts=(CAT,),
            namespace=namespace,
            exportTo=[export_to],
            created=f"{age}T00:00:00Z",
        )
        for number, (namespace, export_to, age) in enumerate(
            zip(("other", "demo", "third"), (".", "other", "*"), ages, strict=True)
        )
    )
    assert who(from_pod(world(public, named, private), CAT, namespace="other")) == 201
    assert who(from_pod(world(public, named), CAT, namespace="other")) == 202
    assert who(from_pod(world(public), CAT, namespace="other")) == 203


FOR_CATS = {"sourceLabels": {"app": "cat"}}


def test_source_labels_choose_routes_when_the_configuration_is_made():
    index = world(in_mesh("vs", says(201, FOR_CATS), says(202)))
    assert who(from_pod(index, labels={"app": "cat", "env": "gray"})) == 201
    decision = from_pod(index, labels={"app": "dog"})
    assert who(decision) == 202
    assert str(decision.skipped[0]) == "sourceLabels app: cat ≠ dog"
    two = world(in_mesh("vs", says(201, {"sourceLabels": {"app": "cat", "env": "gray", "tier": "x"}}), says(202)))
    reasons = "sourceLabels env: gray ≠ prod, sourceLabels tier: x, absent"
    assert str(from_pod(two, labels={"app": "cat", "env": "prod"}).skipped[0]) == reasons
    assert who(from_pod(two, labels={"app": "cat", "env": "gray", "tier": "x", "more": "y"})) == 201


def test_when_no_route_is_for_the_sender_the_next_virtual_service_takes_the_host():
    first = in_mesh("a", says(201, FOR_CATS, {"sourceNamespace": "other"}))
    assert who(from_pod(world(first), labels={"app": "dog"})) == "cat"
    index = world(first, in_mesh("b", says(202), hosts=(CAT,)))
    assert who(from_pod(index, labels={"app": "dog"})) == 202
    assert who(from_pod(index, CAT, labels={"app": "dog"}, namespace="other")) == 201


def test_a_route_for_a_gateway_only_is_not_for_the_mesh():
    index = world(in_mesh("vs", says(201, {"gateways": ["gw"]}), says(202, {"gateways": ["mesh"]})))
    assert who(from_pod(index)) == 202


def test_a_virtual_service_without_gateways_is_for_the_mesh():
    vs = in_mesh("vs", says(201))
    del vs["spec"]["gateways"]
    assert who(from_pod(world(vs))) == 201


def test_a_port_condition_and_a_port_that_the_service_has_not():
    index = world(
        service("two", ports=((9001, "http"), (9002, "http-b"))),
        in_mesh("vs", says(201, {"port": 9002}), says(202), hosts=("two",)),
    )
    assert [who(from_pod(index, "two", port=port)) for port in (9001, 9002)] == [202, 201]
    assert isinstance(from_pod(index, "two", port=9003).outcome, Passthrough)


@pytest.mark.parametrize(
    ("name", "protocol", "routed"),
    [
        ("tcp-x", {}, False),
        ("mysql", {}, False),
        ("", {}, True),
        ("grpc-web", {}, True),
        ("metrics", {}, True),
        ("tcp", {"appProtocol": "http"}, True),
        ("http", {"appProtocol": "tcp"}, False),
        ("http", {"protocol": "UDP"}, False),
        ("TCP", {}, False),
        ("GRPC-Web-x", {"appProtocol": ""}, True),
        ("tcp", {"appProtocol": "HTTP2"}, True),
        ("tcp", {"appProtocol": "kubernetes.io/h2c"}, True),
        ("http", {"appProtocol": "kubernetes.io/wss"}, False),
        ("http", {"appProtocol": "my.org/own"}, True),
        ("tls", {"appProtocol": "my.org/own"}, True),
        ("db", {"port": 3306}, False),
        ("http", {"port": 3306}, True),
    ],
)
def test_only_http_ports_are_routed(name, protocol, routed):
    odd = service("odd", ports=())
    odd["spec"]["ports"] = [{"port": 9001, "name": name, **protocol}]
    decision = from_pod(world(odd, in_mesh("vs", says(201), hosts=("odd",))), "odd", port=protocol.get("port", 9001))
    assert who(decision) == (201 if routed else "odd")


def test_hosts_beside_the_registry_exist_on_port_80_only():
    index = world(in_mesh("vs", says(201), hosts=("a.example.org", "*.b.example.org")))
    assert who(from_pod(index, "a.example.org", port=80)) == 201
    assert who(from_pod(index, "x.b.example.org", port=80)) == 201
    assert isinstance(from_pod(index, "a.example.org", port=9001).outcome, Passthrough)
    assert isinstance(from_pod(index, "b.example.org", port=80).outcome, Passthrough)


def test_unless_a_service_of_the_same_virtual_service_has_the_port():
    index = world(in_mesh("vs", says(201), hosts=("a.example.org", "cat")))
    assert who(from_pod(index, "a.example.org", port=9001)) == 201


def test_a_wildcard_that_stands_for_a_service_anchors_them_too():
    index = world(in_mesh("vs", says(201), hosts=("a.example.org", "*.demo.svc.cluster.local")))
    assert who(from_pod(index, "a.example.org", port=9001)) == 201
    taken = (in_mesh("cat", says(202)), in_mesh("mouse", says(202), hosts=("mouse",)))
    index = world(in_mesh("vs", says(201), hosts=("a.example.org", "*.demo.svc.cluster.local")), *taken)
    assert isinstance(from_pod(index, "a.example.org", port=9001).outcome, Passthrough)


def test_a_wildcard_that_covers_a_service_with_the_port_stands_for_services_alone():
    wild = in_mesh("vs", says(201), hosts=("*.demo.svc.cluster.local",))
    nobody = "nobody.demo.svc.cluster.local"
    assert who(from_pod(world(wild), nobody, port=80)) == 201
    web = service("web", ports=((80, "http"),))
    assert isinstance(from_pod(world(wild, web), nobody, port=80).outcome, Passthrough)


def test_only_services_that_the_sender_sees_count_for_that():
    wild = in_mesh("vs", says(201), hosts=("*.demo.svc.cluster.local", "a.example.org"))
    hidden = service("web", ports=((80, "http"), (81, "http-b")), annotations={"networking.istio.io/exportTo": "."})
    index = world(wild, hidden)
    nobody = "nobody.demo.svc.cluster.local"
    assert who(from_pod(index, nobody, port=80, namespace="other")) == 201
    assert isinstance(from_pod(index, "a.example.org", port=81, namespace="other").outcome, Passthrough)
    assert who(from_pod(index, "a.example.org", port=81)) == 201
    limited = world(wild, service("web", ports=((80, "http"), (81, "http-b"))), sidecar("./cat.demo.svc.cluster.local"))
    assert isinstance(from_pod(limited, "a.example.org", port=81).outcome, Passthrough)
    assert who(from_pod(limited, nobody, port=80)) == 201


def test_a_host_beside_the_registry_of_two_virtual_services():
    """The first with a route for the sender, of those that it sees."""
    for_dogs = in_mesh("a", says(201, {"sourceLabels": {"app": "dog"}}), hosts=("a.example.org",))
    second = in_mesh("b", says(202), hosts=("a.example.org",))
    index = world(for_dogs, second)
    assert who(from_pod(index, "a.example.org", port=80)) == 202
    assert who(from_pod(index, "a.example.org", port=80, labels={"app": "dog"})) == 201
    wide = in_mesh("w", says(203), hosts=("*.example.org",))
    assert who(from_pod(world(wide, second), "a.example.org", port=80)) == 202
    assert who(from_pod(world(wide, for_dogs), "a.example.org", port=80)) == 203
    imported = world(second, wide, sidecar("other/*"))
    assert isinstance(from_pod(imported, "a.example.org", port=80).outcome, Passthrough)


def test_a_service_that_the_sender_may_not_see_is_routed_by_no_virtual_service():
    hidden = service("hidden", annotations={"networking.istio.io/exportTo": "."})
    index = world(hidden, in_mesh("vs", says(201), hosts=("hidden",)))
    assert who(from_pod(index, "hidden")) == 201
    assert isinstance(from_pod(index, "hidden.demo", namespace="other").outcome, Passthrough)


def entry(host="api.example.org", **spec):
    return manifest(
        "ServiceEntry", "ext", {"hosts": [host], "ports": [{"number": 443, "name": "http", "protocol": "HTTP"}], **spec}
    )


def test_a_service_entrys_port_is_told_by_its_protocol():
    vs = in_mesh("vs", says(201), hosts=("api.example.org",))
    for protocol, expected in (("TLS", "api"), ("tcp", "api"), ("", 201), ("GRPC", 201)):
        told = entry("API.example.org", ports=[{"number": 443, "name": "tcp", "protocol": protocol}])
        assert who(from_pod(world(told, vs), "api.example.org", port=443)) == expected


def test_a_service_entrys_host_is_a_service():
    assert (
        who(from_pod(world(entry(), in_mesh("vs", says(201), hosts=("api.example.org",))), "api.example.org", port=443))
        == 201
    )
    assert who(from_pod(world(entry()), "api.example.org", port=443)) == "api"
    wild = world(entry("*.example.org"), in_mesh("vs", says(201), hosts=("*.example.org",)))
    assert who(from_pod(wild, "any.example.org", port=443)) == 201
    assert isinstance(from_pod(wild, "any.example.com", port=443).outcome, Passthrough)
    assert isinstance(from_pod(world(entry("*.example.org")), "any.example.org", port=444).outcome, Passthrough)
    two = world(
        entry("*.example.org"),
        in_mesh("vs", says(201), hosts=("*.example.org",)),
        in_mesh("vs2", says(202), hosts=("*.a.example.org",)),
    )
    assert who(from_pod(two, "x.b.example.org", port=443)) == 201
    assert isinstance(
        from_pod(world(entry(exportTo=["."])), "api.example.org", port=443, namespace="other").outcome, Passthrough
    )


def test_a_port_that_the_request_leaves_open():
    """It is in the host, or the Service's only one; else it is not known."""
    index = world(
        service("two", ports=((9001, "http"), (9002, "tcp-b"))),
        in_mesh("vs", says(201, {"port": 9002}), says(202), hosts=("cat",)),
    )
    assert who(from_pod(index, "cat", port=None)) == 202
    assert from_pod(index, "mouse", port=None).outcome.port == 9001
    assert from_pod(index, "two:9002", port=None).outcome.port == 9002
    assert from_pod(index, "two", port=None).undecided == ("which port of two.demo.svc.cluster.local is called",)
    outside = world(in_mesh("vs", says(201), hosts=("a.example.org",)))
    assert who(from_pod(outside, "a.example.org", port=None)) == 201
    assert isinstance(from_pod(outside, "a.example.org:81", port=None).outcome, Passthrough)


def test_a_sender_whose_namespace_is_not_said_is_in_default():
    index = world(service("cat", namespace="default"), in_mesh("vs", says(201), namespace="default"))
    assert who(from_pod(index, "cat", namespace="")) == 201


def test_services_that_are_not_given_are_assumed_and_said_so():
    vs = in_mesh("vs", to("gray"), hosts=("cat",))
    decision = from_pod(world(vs, rule(), base=()))
    assert who(decision) == "cat/gray"
    assert decision.assumed == (f"there is a Service {CAT} with port 9001",)
    assert decision.outcome.workloads is None


@pytest.mark.parametrize(
    ("host", "assumed"),
    [("cat", True), ("x.y.svc", True), ("x.y.svc.cluster.local", True), ("x.y", False), ("a.org", False)],
)
def test_which_hosts_are_taken_for_services(host, assumed):
    decision = from_pod(world(base=()), host)
    assert bool(decision.assumed) is assumed
    assert isinstance(decision.outcome, Passthrough) is not assumed


def test_a_host_of_two_labels_is_a_service_if_a_virtual_service_says_so():
    assert who(from_pod(world(in_mesh("vs", says(201), hosts=("x.y.svc.cluster.local",)), base=()), "x.y")) == 201


def test_hosts_beside_services_that_are_only_assumed():
    index = world(in_mesh("vs", says(201), hosts=("a.example.org", "cat")), base=())
    assert who(from_pod(index, "a.example.org", port=9001)) == 201
    elsewhere = world(
        in_mesh("vs", says(201), hosts=("a.example.org", "cat")), sidecar("other/*", "*/a.example.org"), base=()
    )
    assert isinstance(from_pod(elsewhere, "a.example.org", port=9001).outcome, Passthrough)


def test_a_service_that_is_missing_among_those_given_is_not_assumed():
    assert isinstance(from_pod(world(), "nobody").outcome, Passthrough)


def test_the_root_namespaces_sidecar_is_for_namespaces_without_their_own():
    root = sidecar("other/*", namespace="istio-system")
    assert who(from_pod(world(root), "dog.other")) == "dog"
    assert isinstance(from_pod(world(root)).outcome, Passthrough)
    assert who(from_pod(world(root, sidecar("./*")))) == "cat"
    assert who(from_pod(world(root, sidecar("./*", namespace="third")))) != "cat"
    everything = manifest("Sidecar", "default", {})
    assert who(from_pod(world(root, everything))) == "cat"


def test_a_sidecar_whose_pods_are_not_known_to_be_the_senders():
    some = manifest("Sidecar", "some", {"workloadSelector": {"labels": {"app": "cat"}}, "egress": [{"hosts": ["./*"]}]})
    decision = simulate(world(some), Request("cat", source_namespace="demo", port=9001))
    assert decision.undecided == ("Sidecar demo/some selects by labels, and the sender's are not known",)


@pytest.mark.parametrize(
    ("hosts", "cat", "dog"),
    [
        (["./*"], 201, None),
        (["./cat.demo.svc.cluster.local"], 201, None),
        (["other/*"], None, "dog"),
        (["*/*"], 201, "dog"),
        (["*/*", "~./*"], None, "dog"),
        (["*/*", "~*/dog.other.svc.cluster.local"], 201, None),
        (["*/*", "~/cat.demo.svc.cluster.local"], None, "dog"),
        (["*/*", "~other/cat.demo.svc.cluster.local"], 201, "dog"),
        (["demo/mouse.demo.svc.cluster.local"], None, None),
    ],
)
def test_a_sidecar_resource_limits_what_is_known(hosts, cat, dog):
    index = world(sidecar(*hosts), in_mesh("vs", says(201)))
    for host, expected in (("cat", cat), ("dog.other", dog)):
        decision = from_pod(index, host)
        assert isinstance(decision.outcome, Passthrough) if expected is None else who(decision) == expected


def test_a_virtual_service_that_is_imported_without_its_service_routes_nothing():
    theirs = in_mesh("vs", says(201), hosts=("cat.demo.svc.cluster.local",), namespace="other")
    assert who(from_pod(world(theirs))) == 201
    assert isinstance(from_pod(world(theirs, sidecar("other/*"))).outcome, Passthrough)


def test_a_sidecar_for_some_pods_goes_before_the_namespaces():
    some = manifest("Sidecar", "some", {"workloadSelector": {"labels": {"app": "cat"}}, "egress": [{"hosts": ["./*"]}]})
    index = world(sidecar("other/*"), some)
    assert who(from_pod(index, "mouse", labels={"app": "cat"})) == "mouse"
    assert isinstance(from_pod(index, "mouse").outcome, Passthrough)


def test_a_sidecar_believes_x_forwarded_proto_and_a_gateway_does_not():
    index = world(in_mesh("vs", says(201, {"scheme": {"exact": "https"}}), says(202)))
    forwarded = [("x-forwarded-proto", "https")]
    assert who(from_pod(index, headers=forwarded)) == 201
    assert who(from_pod(index, headers=[("x-forwarded-proto", "ftp")], scheme="https")) == 201
    entry = virtual_service("entry", says(201, {"scheme": {"exact": "https"}}), says(202))
    assert who(at_gateway(world(entry), headers=forwarded)) == 202
