"""HTTPRoutes as people write them, imported: what a spec can say decides as before, and the rest is named."""

import pytest
import yaml

from meshconfig.importing import NothingToSayError, import_group
from meshconfig.importing.proof import compare
from meshconfig.istio import Resources
from meshconfig.simulate import Index

API = "gateway.networking.k8s.io/v1"


def made(kind, name, spec, api=API, namespace="demo", **metadata):
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def service(name, port=80, **selector):
    spec = {"selector": selector, "ports": [{"name": "http", "port": port, "targetPort": 8080}]}
    return made("Service", name, spec, "v1")


def to(*backends, matches=(), **more):
    refs = [{"name": name, "port": 80, **rest} for name, rest in backends]
    return {**({"matches": list(matches)} if matches else {}), "backendRefs": refs, **more}


def header(name, value, **more):
    return {"headers": [{"name": name, "value": value}], **more}


def path(value, kind="PathPrefix"):
    return {"path": {"type": kind, "value": value}}


def between(name, *rules, kind="HTTPRoute", **more):
    return made(
        kind, name, {"parentRefs": [{"group": "", "kind": "Service", "name": name}], "rules": list(rules)}, **more
    )


def outside(name, *rules, hosts=("shop.example.com",), section=None):
    parent = {"name": "edge", **({"sectionName": section} if section else {})}
    return made("HTTPRoute", name, {"parentRefs": [parent], "hostnames": list(hosts), "rules": list(rules)})


EDGE = made(
    "Gateway",
    "edge",
    {"gatewayClassName": "istio", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
)
WEB = [
    service("web", app="web"),
    service("web-v1", app="web", version="v1"),
    service("web-canary", app="web", version="v2"),
]
LANE = to(("web-canary", {}), matches=[header("x-version", "canary")])
CANARY = between("web", LANE, to(("web-v1", {})))


def imported(*manifests, **more):
    found = import_group(Resources.parse(manifests), "shop", "demo", backend="gateway", **more)
    assert found.proof.asked > 0
    assert [one.what for one in found.proof.wrong] == []
    return found


def why(found):
    return [f"{one.what}: {one.why}" for one in found.fitted.unsaid]


def test_a_service_whose_routes_lead_to_services_of_versions():
    found = imported(*WEB, CANARY)
    spec = found.fitted.value["spec"]
    assert spec["backend"] == "gateway"
    assert spec["tag"] == {"header": "x-version", "default": "v1"}
    assert spec["lanes"] == {"v1": {}, "canary": {}}
    assert spec["services"]["web"] == {
        "host": "web",
        "port": 80,
        "selector": {"app": "web"},
        "targetPort": 8080,
        "versions": {"canary": {"labels": {"version": "v2"}}, "v1": {"labels": {"version": "v1"}}},
    }
    assert sorted(map(str, found.replaced)) == [
        "HTTPRoute demo/web",
        "Service demo/web-canary",
        "Service demo/web-v1",
    ]


def test_an_entry_with_a_split_and_a_lane_and_a_service_behind_another_path():
    rules = [
        LANE,
        to(("web-v1", {"weight": 90}), ("web-canary", {"weight": 10}), matches=[path("/")]),
        to(("cart", {}), matches=[path("/cart")]),
    ]
    found = imported(EDGE, *WEB, CANARY, service("cart", app="cart"), outside("shop", *rules))
    assert why(found) == [
        "HTTPRoute demo/shop rules[1]: requests without a tag go to v1: 90, canary: 10 here, and elsewhere to v1: 1: "
        "a service has one default"
    ]
    rules[1] = to(("web-v1", {}), matches=[path("/")])
    found = imported(EDGE, *WEB, CANARY, service("cart", app="cart"), outside("shop", *rules))
    assert why(found) == []
    (entry,) = found.fitted.value["spec"]["entries"]
    assert entry["gateway"] == {"use": "demo/edge"}
    # Whole elements of a path, which a spec's prefix does not compare.
    assert entry["routes"] == [
        {"path": {"exact": "/cart"}, "service": "cart"},
        {"path": {"prefix": "/cart/"}, "service": "cart"},
        {"path": {"prefix": "/"}, "service": "web"},
    ]


def test_a_listener_is_kept_and_a_redirect_at_the_other_one_left_alone():
    edge = made(
        "Gateway",
        "edge",
        {
            "gatewayClassName": "istio",
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP"},
                {"name": "apps", "port": 8080, "protocol": "HTTP"},
            ],
        },
    )
    filters = [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]
    found = imported(
        edge,
        *WEB,
        CANARY,
        outside("to-https", {"filters": filters}, section="http"),
        outside("shop", LANE, to(("web-v1", {})), section="apps"),
    )
    assert why(found) == [
        "HTTPRoute demo/to-https rules[0]: the filter RequestRedirect is not part of a spec",
    ]
    (entry,) = found.fitted.value["spec"]["entries"]
    assert entry["gateway"] == {"use": "demo/edge", "listener": "apps"}
    assert "HTTPRoute demo/to-https" not in map(str, found.replaced)


def test_a_prefix_that_is_replaced():
    filters = [
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}}}
    ]
    canary = to(("web-canary", {}), matches=[header("x-version", "canary", **path("/web"))], filters=filters)
    rules = [canary, to(("web-v1", {}), matches=[path("/web")], filters=filters), LANE, to(("web-v1", {}))]
    found = imported(EDGE, *WEB, CANARY, outside("shop", *rules))
    (entry,) = found.fitted.value["spec"]["entries"]
    assert entry["routes"][:2] == [
        {"path": {"exact": "/web"}, "service": "web", "rewrite": "/v2"},
        {"path": {"prefix": "/web/"}, "service": "web", "rewrite": "/v2/"},
    ]


def test_what_asks_for_more_goes_first():
    narrow = to(("web-canary", {}), matches=[header("x-version", "canary", **path("/new"))])
    rules = [to(("web-v1", {})), to(("web-v2", {}), matches=[path("/new")]), LANE]
    new = service("web-v2", app="web", version="v3")
    spec = imported(*WEB, new, between("web", narrow, *rules)).fitted.value["spec"]
    assert spec["services"]["web"]["rules"] == [
        {"match": {"path": {"exact": "/new"}}, "weights": {"v2": 1}},
        {"match": {"path": {"prefix": "/new/"}}, "weights": {"v2": 1}},
    ]
    # A path goes before the tag here, and behind it in a spec: the comparison says so.
    differs = import_group(Resources.parse([*WEB, new, between("web", *rules)]), "shop", "demo", backend="gateway")
    assert {(one.request.path, one.what) for one in differs.proof.wrong} == {("/new", "where it goes")}


def test_grpc_routes_make_a_service_of_grpc():
    rules = [to(("web-canary", {}), matches=[header("x-version", "canary")]), to(("web-v1", {}))]
    found = imported(*WEB, between("web", *rules, kind="GRPCRoute"))
    assert found.fitted.value["spec"]["services"]["web"]["protocol"] == "grpc"


CORS = {"type": "CORS", "cors": {"allowOrigins": ["https://a.example"]}}
ELSEWHERE = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "log", "port": 80}}}


@pytest.mark.parametrize(
    ("manifests", "said"),
    [
        ([*WEB, between("web", to(("web-v1", {}), filters=[CORS]))], "the filter CORS is not part of a spec"),
        ([*WEB, between("web", {"filters": []})], "a direct response other than the 503 of a strict lane"),
        ([service("web", app="web"), between("web", to(("gone", {})))], "it leads to gone.demo.svc.cluster.local"),
        ([*WEB, between("web", to(("web-v1", {}), timeouts={"backendRequest": "1s"}))], "the field timeouts is not"),
        (
            [*WEB, CANARY, between("web", to(("web-v1", {})), kind="GRPCRoute")],
            "a Service has HTTPRoutes and GRPCRoutes",
        ),
        (
            [*WEB, made("HTTPRoute", "far", {**CANARY["spec"], "parentRefs": [
                {"group": "", "kind": "Service", "name": "web", "namespace": "demo"}
            ]}, namespace="other")],
            "it is in another namespace than its Service",
        ),
        (
            [
                service("web", port=8000, app="web"),
                *WEB[1:],
                between("web", to(("web-v1", {}))),
            ],
            "it leads to port 80, and callers use 8000",
        ),
    ],
)  # fmt: skip
def test_what_a_spec_cannot_say_is_named(manifests, said):
    with pytest.raises(NothingToSayError) as caught:
        import_group(Resources.parse(manifests), "shop", "demo", backend="gateway")
    assert any(said in one.why for one in caught.value.unsaid), caught.value.unsaid


def test_routes_that_istio_merges_are_imported_or_left_alone_together():
    gone = outside("a", to(("gone", {}), matches=[path("/a")]), hosts=("a.example.com", "b.example.com"))
    found = imported(
        EDGE, *WEB, CANARY, gone, outside("b", to(("web-v1", {})), hosts=("b.example.com", "c.example.com"))
    )
    assert "entries" not in found.fitted.value["spec"]
    assert not {"HTTPRoute demo/a", "HTTPRoute demo/b"} & set(map(str, found.replaced))


def speaking(name, protocol, **selector):
    one = service(name, **selector)
    one["spec"]["ports"][0]["appProtocol"] = protocol
    return one


@pytest.mark.parametrize(("protocol", "said"), [("grpc", "grpc"), ("kubernetes.io/h2c", "http2")])
def test_services_of_http_2_are_no_services_of_http_1(protocol, said):
    canary = speaking("web-canary", protocol, app="web", version="v2")
    with pytest.raises(NothingToSayError) as caught:
        imported(*WEB[:2], canary, CANARY)
    assert [one.why for one in caught.value.unsaid] == [
        f"it leads to Service demo/web-canary, which speaks {said}: a spec has HTTP/1.1 for HTTPRoutes"
    ]


def test_http_routes_at_a_gateway_may_lead_to_a_service_of_grpc():
    spoken = [speaking(one["metadata"]["name"], "grpc", **one["spec"]["selector"]) for one in WEB]
    found = imported(EDGE, *spoken, {**CANARY, "kind": "GRPCRoute"}, outside("out", LANE, to(("web-v1", {}))))
    assert found.fitted.value["spec"]["services"]["web"]["protocol"] == "grpc"
    assert why(found) == []


def leading_to(port, name, **selector):
    one = service(name, **selector)
    one["spec"]["ports"][0]["targetPort"] = port
    return one


def test_the_port_of_pods_is_kept_where_routes_lead_to_the_service_itself():
    found = imported(EDGE, leading_to(9000, "web", app="web"), outside("out", to(("web", {}))))
    assert found.fitted.value["spec"]["services"]["web"]["targetPort"] == 9000
    canary = imported(EDGE, leading_to(9000, "web", app="web"), *WEB[1:], CANARY)
    assert canary.fitted.value["spec"]["services"]["web"]["targetPort"] == 8080


def test_versions_with_several_ports_of_pods_are_left_alone():
    with pytest.raises(NothingToSayError) as caught:
        imported(*WEB[:2], leading_to("http", "web-canary", app="web", version="v2"), CANARY)
    said = "the versions of web.demo.svc.cluster.local have targetPort 8080 and http: a spec has one for a service"
    assert [one.why for one in caught.value.unsaid] == [said]


def test_the_comparison_sees_another_port_of_pods():
    one, other = (Index(Resources.parse([leading_to(port, "web", app="web"), *WEB[1:], CANARY])) for port in (8080, 90))
    assert not compare(one, other, "x-version", ["canary"], None, by_pods=True).wrong
    one, other = (
        Index(Resources.parse([*WEB[:2], leading_to(port, "web-canary", v="v2"), CANARY])) for port in (8080, 90)
    )
    assert compare(one, other, "x-version", ["canary"], None, by_pods=True).wrong


def test_a_route_that_is_attached_to_nothing_is_named():
    lost = outside("lost", to(("web-v1", {})), section="https")
    lost["spec"]["parentRefs"].append({"kind": "Service", "name": "web"})
    assert why(imported(EDGE, *WEB, CANARY, lost)) == [
        "HTTPRoute demo/lost parentRefs[0]: it is attached to nothing: Gateway demo/edge has no listener https",
        "HTTPRoute demo/lost parentRefs[1]: it is attached to nothing: "
        'a Service needs group: "", as a missing group means Gateway API\'s own',
    ]


def test_a_gateway_that_is_not_given_has_the_ports_that_routes_name():
    route = outside("out", LANE, to(("web-v1", {})))
    route["spec"]["parentRefs"][0]["port"] = 8080
    found = imported(*WEB, CANARY, route)
    assert found.assumed == {"demo/edge": (8080,)}
    assert found.fitted.value["spec"]["entries"][0]["gateway"] == {"use": "demo/edge"}
    assert why(found) == []


def test_what_the_spec_makes_itself_is_taken_over_and_named_once():
    found = imported(EDGE, *WEB, CANARY, outside("out", LANE, to(("web-v1", {}))))
    names = [str(one) for one in found.replaced]
    assert len(names) == len({*names})
    assert {str(one) for one in found.taken} == {"HTTPRoute demo/web", "Service demo/web-v1", "Service demo/web-canary"}
    assert "HTTPRoute demo/out" in names


def test_a_field_that_is_null_is_not_there():
    match = {**header("x-version", "canary"), "path": {"type": None, "value": None}, "method": None}
    whole = between("web", to(("web-canary", {}), matches=[match]), to(("web-v1", {}), filters=None, retry=None))
    assert imported(*WEB, whole).fitted.value == imported(*WEB, CANARY).fitted.value


@pytest.fixture
def command(graylane, tmp_path):
    def run(*arguments, manifests=()):
        file = tmp_path / "given.yaml"
        file.write_text(yaml.safe_dump_all(manifests))
        return graylane("import", "-f", file, "--group", "shop", *arguments)

    return run


VIRTUAL = made(
    "VirtualService",
    "cart",
    {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]},
    "networking.istio.io/v1",
)


def test_the_command_takes_http_routes_where_there_is_nothing_else(command):
    code, out, err = command(manifests=[*WEB, CANARY, outside("shop", LANE, to(("web-v1", {})))])
    assert code == 0
    assert "backend: gateway" in out
    assert "assumed: Gateway demo/edge, which is not given, serves every host on port 80" in err
    assert (
        "takes over: HTTPRoute demo/web, Service demo/web-v1, Service demo/web-canary\nreplaces: HTTPRoute demo/shop\n"
        in err
    )


def test_beside_virtual_services_they_are_asked_for(command):
    given = [*WEB, CANARY, service("cart", app="cart"), VIRTUAL]
    _, out, err = command(manifests=given)
    assert "backend" not in out
    assert "HTTPRoute demo/web is not read, nor is any other: import reads VirtualServices, and with --backend" in err
    assert "backend: gateway" in command("--backend", "gateway", manifests=given)[1]
    code, _, err = command("--backend", "gateway", manifests=[VIRTUAL])
    assert (code, "has no HTTPRoute or GRPCRoute" in err) == (2, True)
