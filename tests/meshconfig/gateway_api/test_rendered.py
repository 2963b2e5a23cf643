"""What goes with the resources of the backend `gateway`: their kinds, Sidecars, Ingresses, grants, listeners."""

import pytest
import yaml
from two_backends import compiled

from meshconfig.backend import backend
from meshconfig.backend.kinds import GATEWAY_API, KINDS, OF_GATEWAY_API
from meshconfig.render import owner, render

SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {mode: strict}}
  services:
    cat:
      host: cat-svc
      port: 9001
      targetPort: web
      selector: {app: cat}
      calls: [mouse]
      trafficPolicy: {loadBalancer: {simple: RANDOM}}
      versions: {prod: {labels: {env: prod}, autoscale: {min: 1, max: 2}}, gray: {labels: {env: gray}}}
    mouse: {host: mouse-svc.pets, port: 80, selector: {app: mouse}, versions: {prod: {labels: {env: prod}}}}
    pay: {host: api.example.com, port: 80, external: {tls: SIMPLE}, versions: {prod: {host: api.example.com}}}
  entries:
    - hosts: [cat.example.com, shop.example.com]
      gateway: {port: 443, class: eg, tls: {mode: MUTUAL, credentialName: shop, httpsRedirect: true}}
      cookie: lane
      laneHosts: "{lane}.lanes.example.com"
      routes:
        - {path: {prefix: /mouse/}, rewrite: /, service: mouse}
        - {path: {exact: /pay}, service: pay}
        - {service: cat}
    - hosts: [api.shop.example.com]
      gateway: {use: infra/edge, listener: https}
      routes: [{service: cat}]
"""


@pytest.fixture(scope="module")
def model():
    return compiled(yaml.safe_load(SPEC), "gateway")


@pytest.fixture(scope="module")
def made(model):
    return {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in render([model])}


def test_every_kind_is_in_the_table_of_kinds(made):
    known = {(one.kind, one.api) for one in OF_GATEWAY_API}
    for one in made.values():
        api, kind = one["apiVersion"], one["kind"]
        assert (kind, api) in known if api.startswith(GATEWAY_API) else kind in KINDS


def test_a_version_has_a_service_and_a_policy_of_its_own(made):
    assert made["Service", "demo", "cat-svc-gray"]["spec"] == {
        "selector": {"app": "cat", "env": "gray"},
        "ports": [{"name": "http", "port": 9001, "targetPort": "web"}],
    }
    assert made["DestinationRule", "demo", "cat-svc-gray"]["spec"] == {
        "host": "cat-svc-gray.demo.svc.cluster.local",
        "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}},
    }
    assert ("HorizontalPodAutoscaler", "demo", "cat-prod") in made


def test_a_route_to_another_namespace_brings_its_grant(made):
    assert made["ReferenceGrant", "pets", "demo-cat-example-com"]["spec"] == {
        "from": [{"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": "demo"}],
        "to": [{"group": "", "kind": "Service", "name": "mouse-svc-prod"}],
    }


def test_a_gateway_has_a_listener_for_each_host_and_redirects(made):
    spec = made["Gateway", "demo", "cat-example-com"]["spec"]
    assert spec["gatewayClassName"] == "eg"
    listeners = [(one["name"], one["hostname"], one["port"], one["protocol"]) for one in spec["listeners"]]
    hosts = ("cat.example.com", "shop.example.com", "*.lanes.example.com")
    names = ("https", "https-2", "https-3")
    assert listeners[:3] == [(name, host, 443, "HTTPS") for name, host in zip(names, hosts, strict=True)]
    assert [one[2:] for one in listeners[3:]] == [(80, "HTTP")] * 3
    assert spec["listeners"][0]["tls"] == {
        "mode": "Terminate",
        "certificateRefs": [{"name": "shop"}],
        "options": {"gateway.istio.io/tls-terminate-mode": "MUTUAL"},
    }
    to_https = made["HTTPRoute", "demo", "cat-example-com.https"]["spec"]
    assert to_https["parentRefs"] == [{"group": GATEWAY_API, "kind": "Gateway", "name": "cat-example-com", "port": 80}]
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    assert to_https["rules"] == [{"name": "to-https", "filters": [redirect]}]
    assert made["HTTPRoute", "demo", "cat-example-com"]["spec"]["parentRefs"][0]["port"] == 443


def test_an_existing_gateway_is_named_with_its_listener(made):
    assert made["HTTPRoute", "demo", "api-shop-example-com"]["spec"]["parentRefs"] == [
        {"group": GATEWAY_API, "kind": "Gateway", "name": "edge", "namespace": "infra", "sectionName": "https"}
    ]


def test_a_host_outside_keeps_its_service_entry(made):
    route = made["HTTPRoute", "demo", "api.example.com"]["spec"]
    assert route["parentRefs"] == [
        {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "api.example.com", "port": 80}
    ]
    backend_ref = {"group": "networking.istio.io", "kind": "Hostname", "name": "api.example.com", "port": 80}
    assert route["rules"][-1]["backendRefs"] == [backend_ref]
    assert ("ServiceEntry", "demo", "api.example.com") in made
    assert ("DestinationRule", "demo", "api.example.com") in made


def test_a_rewrite_is_of_elements_and_leaves_the_bare_prefix_alone(made):
    rules = [
        rule
        for (kind, _, name), one in made.items()
        if kind == "HTTPRoute" and name.startswith("cat-example-com")
        for rule in one["spec"]["rules"]
    ]
    replaced = [
        (rule["matches"], one["urlRewrite"]["path"])
        for rule in rules
        for one in rule.get("filters", ())
        if one["type"] == "URLRewrite" and "path" in one["urlRewrite"]
    ]
    assert replaced
    for (match,), change in replaced:
        assert match["path"] == {"type": "PathPrefix", "value": "/mouse"}
        assert change == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    bare = [
        one for rule in rules for one in rule.get("matches", ()) if one["path"] == {"type": "Exact", "value": "/mouse"}
    ]
    assert bare


def test_what_is_lowered_is_lifted_and_lowered_again(model, made):
    lifted = backend("gateway").lift(made.values(), "env")
    again = [one for table in lifted.tables for one in backend("gateway").lower(table, owner(model))]
    assert {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in again} == made


def test_a_sidecar_lets_a_caller_reach_the_services_of_versions(graylane, tmp_path):
    spec = tmp_path / "graylane.yaml"
    spec.write_text(SPEC)
    _, out, _ = graylane("render", "-f", spec, "--backend", "gateway", "--sidecar")
    (found,) = (
        one for one in yaml.safe_load_all(out) if one["kind"] == "Sidecar" and one["metadata"]["namespace"] == "demo"
    )
    hosts = found["spec"]["egress"][0]["hosts"]
    assert {f"pets/mouse-svc{name}.pets.svc.cluster.local" for name in ("", "-prod", "--refused")} <= {*hosts}


def test_an_ingress_needs_the_service_of_the_gateways_pods(graylane, tmp_path):
    spec = tmp_path / "graylane.yaml"
    spec.write_text(SPEC.replace(", tls: {mode: MUTUAL, credentialName: shop, httpsRedirect: true}", ""))
    code, _, said = graylane("render", "-f", spec, "--backend", "gateway", "--ingress")
    assert code == 2
    assert "--ingress-service" in said
    service = ("--ingress-service", "demo/cat-example-com-istio")
    assert graylane("render", "-f", spec, "--backend", "gateway", "--ingress", *service)[0] == 0
