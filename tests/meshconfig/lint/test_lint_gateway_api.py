"""Rules about HTTPRoutes, Gateways and ReferenceGrants of the Gateway API."""

import pytest
import yaml

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: cat, namespace: demo}
spec: {selector: {app: cat}, ports: [{port: 9001, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: cat-gray, namespace: demo}
spec: {selector: {app: cat, env: gray}, ports: [{port: 9001, name: http}]}
"""
GATEWAY = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: demo}
spec:
  gatewayClassName: istio
  listeners: [{name: http, hostname: "*.example.com", port: 80, protocol: HTTP}]
"""
TO_CAT = {"backendRefs": [{"name": "cat", "port": 9001}]}
TO_GRAY = {"backendRefs": [{"name": "cat-gray", "port": 9001}]}
OF_CAT = {"group": "", "kind": "Service", "name": "cat", "port": 9001}


def route(*rules, parent=OF_CAT, name="cat", **spec):
    found = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"parentRefs": [parent], **spec, "rules": list(rules)},
    }
    return f"\n---\n{yaml.safe_dump(found)}"


def codes(found):
    return [(one.code, one.path) for one in found]


def gray(**more):
    return {"headers": [{"name": "env", "value": "gray"}], **more}


API = {"path": {"type": "PathPrefix", "value": "/api"}}


def test_gl801_a_service_that_is_not_there(findings):
    rule = {"backendRefs": [{"name": "cats", "port": 9001}, {"name": "cat", "port": 80}, {"name": "cat", "port": 9001}]}
    found = findings(SERVICES + route(rule))
    assert codes(found) == [("GL801", f"spec.rules[0].backendRefs[{number}].name") for number in (0, 1)]
    assert "did you mean cat.demo.svc.cluster.local?" in found[0].message
    assert "has no port 80: it has 9001" in found[1].message


def test_gl801_says_nothing_where_no_service_is_given(findings):
    assert findings(route({"backendRefs": [{"name": "cats", "port": 9001}]})) == []


@pytest.mark.parametrize(("kind", "expected"), [("HTTPRoute", []), ("GRPCRoute", ["GL802"])])
def test_gl802_a_grant_for_another_kind_is_none(findings, kind, expected):
    grant = f"""
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{name: shop, namespace: pets}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: {kind}, namespace: demo}}]
  to: [{{group: "", kind: Service}}]
---
apiVersion: v1
kind: Service
metadata: {{name: dog, namespace: pets}}
spec: {{selector: {{app: dog}}, ports: [{{port: 80, name: http}}]}}
"""
    away = {"backendRefs": [{"name": "dog", "namespace": "pets", "port": 80}]}
    found = findings(SERVICES + GATEWAY + grant + route(away, parent={"name": "shop"}, hostnames=["a.example.com"]))
    assert [one.code for one in found] == expected


@pytest.mark.parametrize(
    ("parent", "hosts", "said"),
    [
        ({"name": "shop"}, ["a.example.org"], "is for *.example.com, and not for a.example.org"),
        ({"name": "shop", "sectionName": "https"}, ["a.example.com"], "has no listener https"),
        ({"name": "shopp"}, ["a.example.com"], "there is no Gateway demo/shopp"),
        ({"kind": "Service", "name": "cat"}, [], 'a Service needs group: ""'),
        ({**OF_CAT, "name": "dog"}, [], "there is no Service demo/dog"),
    ],
)
def test_gl803_a_route_at_no_listener_and_no_service(findings, parent, hosts, said):
    (found,) = findings(SERVICES + GATEWAY + route(TO_CAT, parent=parent, **({"hostnames": hosts} if hosts else {})))
    assert (found.code, found.path) == ("GL803", "spec.parentRefs[0]")
    assert said in found.message


def test_gl803_a_rule_that_istiod_refuses(findings):
    unknown = {**TO_CAT, "filters": [{"type": "ExtensionRef"}]}
    (found,) = findings(SERVICES + route(unknown))
    assert (found.code, found.path) == ("GL803", "spec.rules")
    assert "no filter ExtensionRef" in found.message


def test_gl804_both_kinds_for_one_host(findings):
    other = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec: {hosts: [cat], http: [{route: [{destination: {host: cat}}]}]}
"""
    found = findings(SERVICES + other + route(TO_CAT))
    assert ("GL804", "spec.hosts") in codes(found)


def test_gl805_a_path_goes_before_a_tag(findings):
    found = findings(SERVICES + route({"matches": [gray()], **TO_GRAY}, {"matches": [API], **TO_CAT}))
    assert codes(found) == [("GL805", "spec.rules[0].matches[0]")]
    assert "repeat env in a match with what rules[1] asks for" in found[0].message


def test_a_regular_expression_that_re2_refuses_is_no_traceback(findings):
    broken = gray(path={"type": "RegularExpression", "value": "/a("})
    exact = {"path": {"type": "Exact", "value": "/b"}}
    found = findings(SERVICES + route({"matches": [broken], **TO_GRAY}, {"matches": [exact], **TO_CAT}))
    assert "GL805" not in {code for code, _ in codes(found)}


@pytest.mark.parametrize(
    "rules",
    [
        [{"matches": [gray(), gray(**API)], **TO_GRAY}, {"matches": [API], **TO_CAT}],
        [{"matches": [gray()], **TO_CAT}, {"matches": [API], **TO_CAT}],
        [{"matches": [gray(**API)], **TO_GRAY}, {"matches": [API], **TO_CAT}],
        [{"matches": [API], **TO_CAT}, {"matches": [gray()], **TO_GRAY}],
    ],
    ids=["repeated", "same backends", "more specific", "the path first"],
)
def test_gl805_is_silent_where_the_order_is_as_written(findings, rules):
    assert findings(SERVICES + route(*rules)) == []


def test_gl806_more_than_an_api_server_takes(findings):
    matches = [{"headers": [{"name": "env", "value": f"lane-{number}"}]} for number in range(65)]
    hosts = [f"h{number}.example.com" for number in range(17)]
    found = findings(
        SERVICES
        + GATEWAY
        + route({"matches": matches, **TO_GRAY}, parent={"name": "shop"}, hostnames=hosts)
        + route({"backendRefs": TO_CAT["backendRefs"] * 17}, name="many")
    )
    assert sorted(codes(found)) == [
        ("GL806", "spec.hostnames"),
        ("GL806", "spec.rules[0].backendRefs"),
        ("GL806", "spec.rules[0].matches"),
    ]
