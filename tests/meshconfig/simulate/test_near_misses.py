"""A VirtualService that nearly fits and is not used is named, with the reason."""

import pytest
from istio_world import (
    at_gateway,
    deployment,
    from_pod,
    gateway,
    in_mesh,
    manifest,
    says,
    service,
    to,
    virtual_service,
    world,
)

from meshconfig.simulate import ANY_GATEWAY, Reason, Request, near_misses, why_not_used

A_HOST = "a.example.com"
CAT = "cat.demo.svc.cluster.local"
TLS = {"mode": "SIMPLE", "credentialName": "c"}


def missed(index, host="cat", path="/", *, outside=False, port=None, namespace="demo", labels=None, **more):
    """(VirtualService, reason) of each near miss, and their texts."""
    sender = {"gateway": more.pop("gateway", ANY_GATEWAY)} if outside else {"source_namespace": namespace}
    request = Request(host, path, port=port, source_labels=labels, **sender, **more)
    decision = (
        at_gateway(index, path, host=host, port=port, gateway=request.gateway, **more)
        if outside
        else from_pod(index, host, path, port=port, namespace=namespace, labels=labels, **more)
    )
    return near_misses(index, request, decision)


def reasons(*arguments, **more):
    return [(one.virtual_service, one.reason) for one in missed(*arguments, **more)]


def only(*arguments, **more):
    (found,) = missed(*arguments, **more)
    return found.reason, found.why


@pytest.mark.parametrize("written", ["cat.demo", "cat.demo.svc", "*.demo", "Cat.Demo"])
@pytest.mark.parametrize("host", ["cat", "cat.demo.svc.cluster.local", "cat:9001"])
def test_half_a_name(written, host):
    reason, why = only(world(in_mesh("vs", says(201), hosts=(written,))), host)
    assert reason is Reason.HALF_NAME
    assert f"its host {written.lower()} is no Service to Istio" in why
    assert why.endswith("demo.svc.cluster.local")


def test_a_short_name_of_another_namespace():
    reason, why = only(world(in_mesh("vs", says(201), namespace="web")))
    assert reason is Reason.OTHER_NAMESPACE
    assert why == "its host cat is short for cat.web.svc.cluster.local, after its own namespace"
    own = service(namespace="web")  # for which it is meant
    assert missed(world(in_mesh("vs", says(201), namespace="web"), own)) == ()


@pytest.mark.parametrize(
    ("written", "host", "outside"),
    [
        ("shop.exmaple.com", "shop.example.com", True),
        ("shopp.example.com", "shop.example.com", True),
        ("catt.demo.svc.cluster.local", "cat", False),
    ],
)
def test_a_misspelt_host(written, host, outside):
    vs = virtual_service("vs", says(201), hosts=(written,), gateways=("gw",) if outside else ("mesh",))
    assert only(world(vs), host, outside=outside)[0] is Reason.SPELLING


@pytest.mark.parametrize(
    ("written", "host", "outside"),
    [
        ("a.example.com", "b.example.com", True),
        ("shop-2.example.com", "shop-1.example.com", True),
        ("shop.example.org", "shop.example.com", True),
        ("admin.example.com", "shop.example.com", True),
        ("example.com", "shop.example.com", True),
        ("dog", "cow", False),
        ("dog", "dig.other", False),
        ("orders", "payments", False),
        ("web-1", "web-2", False),
    ],
)
def test_another_host_is_no_misspelling(written, host, outside):
    vs = virtual_service("vs", says(201), hosts=(written,), gateways=("gw",) if outside else ("mesh",))
    assert missed(world(vs, base=(gateway("gw", ["*"]),)), host, outside=outside) == ()


def test_a_wildcard_does_not_stand_for_the_bare_domain():
    index = world(gateway("all", ["*"]), virtual_service("vs", says(201), hosts=("*.shop.org",), gateways=("all",)))
    reason, why = only(index, "shop.org", outside=True)
    assert (reason, why) == (
        Reason.WILDCARD,
        "its host *.shop.org stands for names below shop.org, not for shop.org itself",
    )


def test_one_for_sidecars_alone_and_one_for_a_gateway_alone():
    assert reasons(world(in_mesh("vs", says(201), hosts=(A_HOST,))), A_HOST, outside=True) == [
        ("demo/vs", Reason.MESH_ONLY)
    ]
    reason, why = only(world(virtual_service("vs", says(201), hosts=("cat",))))
    assert (reason, why) == (Reason.GATEWAY_ONLY, "it applies at gw alone: no `mesh` is among its `gateways`")


def test_a_gateway_that_is_not_there_and_one_of_that_name_elsewhere():
    vs = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("edge",))
    assert only(world(vs), A_HOST, outside=True) == (
        Reason.UNKNOWN_GATEWAY,
        "it names Gateway demo/edge, which is not there",
    )
    infra = gateway("edge", [A_HOST], namespace="infra")
    assert only(world(vs, infra), A_HOST, outside=True)[1].endswith("; there is Gateway infra/edge: name it so")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (gateway("g2", ["*.org"]), "it is at Gateway demo/g2, which serves *.org"),
        (gateway("g2", port=8080), "it is at Gateway demo/g2, on port 8080, not 80"),
        (gateway("g2", selector={"istio": "other"}), "it is at Gateway demo/g2, on other Pods"),
        (gateway("g2", port=80, protocol="HTTPS", tls=TLS), "it is at Gateway demo/g2, which ends TLS"),
    ],
)
def test_another_gateway(other, told):
    index = world(other, virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("g2",)))
    reason, why = only(index, A_HOST, outside=True, gateway="demo/gw", port=80)
    assert reason in (Reason.OTHER_GATEWAY, Reason.NOT_SERVED)
    if reason is Reason.OTHER_GATEWAY:
        assert why.startswith(told)


def test_a_gateway_that_keeps_its_hosts_to_another_namespace():
    kept = gateway("kept", ["other/*.example.com"])
    index = world(kept, virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("kept",)))
    reason, why = only(index, A_HOST, outside=True, gateway="demo/kept")
    assert reason is Reason.NOT_SERVED
    assert why == (
        "it has host a.example.com, and Gateway demo/kept serves other/*.example.com, to other namespaces than demo"
    )


@pytest.mark.parametrize(("export_to", "seen"), [(["."], "demo"), (["web"], "web"), (["~"], "nobody")])
def test_one_that_is_not_exported(export_to, seen):
    outside = world(virtual_service("vs", says(201), hosts=(A_HOST,), exportTo=export_to))
    assert only(outside, A_HOST, outside=True) == (
        Reason.EXPORT_TO,
        f"it is exported to {seen} alone (`exportTo`), and the gateway's Pods run in istio-system",
    )
    inside = world(in_mesh("vs", says(201), exportTo=export_to))
    assert only(inside, CAT, namespace="other") == (
        Reason.EXPORT_TO,
        f"it is exported to {seen} alone (`exportTo`), and the sender runs in other",
    )


def test_where_each_namespace_has_its_own_the_others_are_not_told():
    own, other = (
        in_mesh(f"vs-{one}", says(201), hosts=(CAT,), namespace=one, exportTo=["."]) for one in ("demo", "web")
    )
    assert missed(world(own, other)) == ()
    assert reasons(world(own, in_mesh("half", says(202), hosts=("cat.demo",)))) == [("demo/half", Reason.HALF_NAME)]


def test_a_sidecar_resource_that_leaves_it_out():
    sidecar = manifest("Sidecar", "default", {"egress": [{"hosts": [f"./{CAT}", "other/*"]}]})
    index = world(sidecar, in_mesh("vs", says(201), hosts=(CAT,), namespace="third"))
    assert reasons(index) == [("third/vs", Reason.SIDECAR)]


def test_routes_of_another_kind_than_the_server_or_the_port_asks():
    passing = gateway("pass", [A_HOST], port=443, protocol="HTTPS", tls={"mode": "PASSTHROUGH"})
    http = virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("pass",))
    assert only(world(passing, http), A_HOST, outside=True, scheme="https") == (
        Reason.PROTOCOL,
        "it has http routes alone; on port 443, Gateway demo/pass passes TLS on unread, where tls routes apply",
    )
    ending = gateway("ends", [A_HOST], port=443, protocol="HTTPS", tls=TLS)
    raw = {"route": [{"destination": {"host": "cat"}}], "match": [{"sniHosts": [A_HOST]}]}
    tls = virtual_service("vs", hosts=(A_HOST,), gateways=("ends",), tls=[raw])
    where = "on port 443, Gateway demo/ends ends TLS and routes the HTTP inside"
    why = f"it has tls routes alone; {where}, where http routes apply"
    assert only(world(ending, tls), A_HOST, outside=True, scheme="https")[1] == why
    odd = service("odd", ports=((9001, "redis"),))
    reason, why = only(world(odd, in_mesh("vs", says(201), hosts=("odd",))), "odd")
    assert reason is Reason.PROTOCOL
    where = "port 9001 of odd.demo.svc.cluster.local is redis by its name"
    assert why == f"it has http routes alone; {where}, where tcp routes apply"
    tcp = in_mesh("vs", hosts=("cat",), tcp=[{"route": [{"destination": {"host": "cat"}}]}])
    assert only(world(tcp))[1].startswith("it has tcp routes alone; port 9001 of cat.demo.svc.cluster.local is http")


@pytest.mark.parametrize("nearer", ["*.shop.example.com", "*.Shop.example.com"])
def test_a_gateway_behind_one_whose_host_is_nearer(nearer):
    wide = gateway("wide", ["*.example.com"], port=443, protocol="HTTPS", tls=TLS)
    near = gateway("near", [nearer], port=443, protocol="HTTPS", tls=TLS)
    host = "foo.shop.example.com"
    index = world(wide, near, virtual_service("vs", says(201), hosts=("*.example.com",), gateways=("wide",)))
    assert only(index, host, outside=True, scheme="https") == (
        Reason.OTHER_GATEWAY,
        "it is at Gateway demo/wide, and TLS ends at Gateway demo/near, whose host *.shop.example.com is nearer",
    )
    (said,) = {str(one.outcome) for one in at_gateway(index, host=host, scheme="https").shares}
    assert said.endswith(f"no VirtualService at Gateway demo/near has host {host}")


def test_a_gateway_of_other_pods_is_behind_none():
    here = gateway("here", [A_HOST], port=443, protocol="HTTPS", tls=TLS)
    there = gateway("there", [A_HOST], port=443, protocol="HTTPS", tls=TLS, selector={"istio": "other"})
    own = virtual_service("own", says(201, {"uri": {"prefix": "/own"}}), hosts=(A_HOST,), gateways=("here",))
    other = virtual_service("other", says(202), hosts=(A_HOST,), gateways=("there",))
    found = missed(world(here, there, own, other), A_HOST, outside=True, gateway="demo/here", scheme="https")
    assert [one.why for one in found] == ["it is at Gateway demo/there, on other Pods than Gateway demo/here"]


def test_a_gateway_that_istiod_leaves_out_is_behind_none():
    wide = gateway("a", ["*.example.com", "b.example.org"], port=443, protocol="HTTPS", tls=TLS)
    exact = gateway("b", [A_HOST, "b.example.org"], port=443, protocol="HTTPS", tls=TLS)
    index = world(wide, exact, virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("b",)))
    reason, why = only(index, A_HOST, outside=True, scheme="https")
    assert reason is Reason.OTHER_GATEWAY
    assert why == (
        "it is at Gateway demo/b, and istiod leaves out its server with TLS or a redirect on port 443, as the older "
        "Gateway demo/a has host b.example.org too"
    )


def test_of_a_server_that_istiod_leaves_out_the_decision_says_why():
    first = gateway("a", ["b.example.com"], port=443, protocol="HTTPS", tls=TLS)
    second = gateway("b", [A_HOST, "b.example.com"], port=443, protocol="HTTPS", tls=TLS)
    index = world(first, second, virtual_service("vs", says(201), hosts=(A_HOST,), gateways=("b",)))
    assert missed(index, A_HOST, outside=True, scheme="https") == ()


def test_routes_for_other_senders():
    reason, why = only(world(in_mesh("vs", says(201, {"sourceLabels": {"app": "dog"}}))), labels={"app": "cat"})
    assert (reason, why) == (Reason.NO_ROUTE, "none of its routes is in force here: sourceLabels app: dog ≠ cat")
    at = virtual_service("vs", says(201, {"gateways": ["demo/other"]}), hosts=(A_HOST,))
    assert only(world(at), A_HOST, outside=True)[0] is Reason.NO_ROUTE


def test_a_wildcard_behind_a_named_host():
    index = world(
        virtual_service("one", says(201, {"uri": {"prefix": "/one"}}), hosts=(A_HOST,)),
        virtual_service("two", says(202, {"uri": {"prefix": "/two"}}), hosts=("*.example.com",)),
        virtual_service("far", says(203), hosts=("b.example.com",)),
    )
    reason, why = only(index, A_HOST, "/two", outside=True)
    assert (reason, why) == (
        Reason.BEHIND,
        "its host *.example.com is behind a.example.com, which VirtualService demo/one has: the most specific host is "
        "asked alone",
    )
    # Where a route takes the request, what is behind it is as it should be.
    assert missed(index, A_HOST, "/one", outside=True) == ()
    mesh = world(in_mesh("one", says(201, {"uri": {"prefix": "/one"}})), in_mesh("two", says(202), hosts=("*.local",)))
    assert reasons(mesh, CAT) == [("demo/two", Reason.BEHIND)]


def test_a_second_virtual_service_of_a_host_in_the_mesh():
    """Told even where the first takes the request: the mesh merges no VirtualServices."""
    index = world(in_mesh("a", says(201)), in_mesh("b", says(202), hosts=(CAT,)))
    assert reasons(index) == [("demo/b", Reason.OLDER_WINS)]
    both = world(virtual_service("a", says(201), hosts=(A_HOST,)), virtual_service("b", says(202), hosts=(A_HOST,)))
    assert missed(both, A_HOST, outside=True) == ()


def test_a_host_without_a_service_on_another_port_than_80():
    index = world(in_mesh("vs", says(201), hosts=("a.example.org",)))
    assert reasons(index, "a.example.org:8080") == [("demo/vs", Reason.PORT)]
    assert missed(index, "a.example.org") == ()


def test_what_has_nothing_to_do_with_the_request_is_no_near_miss():
    index = world(
        in_mesh("dog", says(201), hosts=("dog",)),
        virtual_service("shop", says(201)),
        virtual_service("delegate", says(201), hosts=(), gateways=()),
        in_mesh("cat", to("prod")),
        deployment("cat", "blue"),
    )
    assert missed(index) == missed(index, "shop.example.com", outside=True) == ()


def test_one_virtual_service_is_asked_about_alone():
    half = in_mesh("vs", says(201), hosts=("cat.demo",))
    index = world(half, in_mesh("used", says(202)))
    request = Request("cat", source_namespace="demo")
    named = {one.name: why_not_used(index, one, request) for one in index.resources.virtual_services}
    assert named["used"] is None
    assert str(named["vs"]).startswith("VirtualService demo/vs: its host cat.demo is no Service")
