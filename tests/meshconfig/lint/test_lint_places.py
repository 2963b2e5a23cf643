"""GL403 to GL405, GL505: mistakes in Gateways and Services that Istio takes without a word."""

import pytest
from lint_manifests import TO_CAT, WORKLOAD, gateway, rule, server, service, to, virtual_service

from meshconfig.lint import Level

TLS = "mode: SIMPLE, credentialName: %s"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (server("a.org", 443, "HTTPS", TLS % "c"), server("b.org", 443, "HTTPS", TLS % "c"), 2),
        (server("a.org", 443, "HTTPS", TLS % "c"), server("b.org", 443, "HTTPS", TLS % "d"), 0),
        (server("a.org", 443, "HTTPS", TLS % "c"), server("b.org", 8443, "HTTPS", TLS % "c"), 0),
        (server("a.org", 443, "HTTPS", TLS % "c"), server("b.org", 443, "HTTPS", "mode: MUTUAL, credentialName: c"), 2),
        (server("a.org", 443, "TLS", "mode: PASSTHROUGH"), server("b.org", 443, "TLS", "mode: PASSTHROUGH"), 0),
        (
            server("a.org", 443, "HTTPS", "mode: SIMPLE, serverCertificate: /a.pem"),
            server("b.org", 443, "HTTPS", "mode: SIMPLE, serverCertificate: /a.pem"),
            2,
        ),
    ],
)
def test_gl403_one_certificate_is_one_gateway_s(of, one, other, found):
    assert of("GL403", gateway("one", one) + gateway("two", other)) == [("spec.servers[0].tls", "warning")] * found
    assert of("GL403", gateway("one", one) + gateway("two", other, selector="istio: other")) == []
    assert of("GL403", gateway("one", one, other)) == []  # one Gateway: Envoy has all of its hosts


PASSED = server("a.org", 443, "TLS", "mode: PASSTHROUGH")
ENDED = server("a.org", 443, "HTTPS", TLS % "c")


@pytest.mark.parametrize(
    ("servers", "kind", "found"),
    [
        ((ENDED,), "tls", True),
        ((server("a.org"),), "tls", True),
        ((PASSED,), "tls", False),
        ((server("a.org", 443, "HTTPS", "mode: PASSTHROUGH"),), "tls", False),
        ((ENDED, PASSED), "tls", False),
        ((PASSED,), "http", True),
        ((server("a.org", 443, "HTTPS", "mode: PASSTHROUGH"),), "http", True),
        ((server("a.org", 31400, "TCP"),), "http", True),
        ((ENDED,), "http", False),
        ((server("a.org"),), "http", False),
        ((server("b.org"), PASSED), "http", True),  # port 80 is another host's
        ((server("b.org"),), "http", False),  # GL105
    ],
)
def test_gl404_routes_fit_what_the_server_does_with_tls(of, servers, kind, found):
    routes = {"http": TO_CAT, "tls": f"{{match: [{{sniHosts: [a.org]}}], route: [{to('cat')}]}}"}
    text = virtual_service("v", routes[kind], "a.org", "gw", kind=kind)
    assert of("GL404", gateway("gw", *servers) + text) == [(f"spec.{kind}", "error")] * found
    assert of("GL404", gateway("other", *servers) + text) == []


def test_gl404_routes_for_sidecars_are_not_the_gateway_s(of):
    assert of("GL404", gateway("gw", PASSED) + virtual_service("v", TO_CAT, "a.org", "gw, mesh")) == []


FRONT = """\
apiVersion: v1
kind: Service
metadata: {name: front, namespace: istio-system}
spec: {selector: {%s}, ports: [{port: 80, targetPort: 8080, name: http2}, {port: 443, name: https}]}
---
"""


@pytest.mark.parametrize(
    ("selector", "port", "found"),
    [
        ("istio: ingressgateway", 80, False),
        ("istio: ingressgateway", 8080, False),
        ("istio: ingressgateway", 443, False),
        ("istio: ingressgateway", 8443, True),
        ("istio: ingressgateway, app: front", 8443, True),
        ("app: front", 8443, False),  # nothing shows that its Pods are the gateway's
        ("istio: other", 8443, False),
    ],
)
def test_gl405_a_gateway_s_port_is_one_of_its_service(of, selector, port, found):
    text = FRONT % selector + gateway("gw", server("a.org", port))
    assert of("GL405", text) == [("spec.servers[0].port.number", "warning")] * found


def test_gl405_pods_show_which_service_is_the_gateway_s_and_one_of_several_is_enough(of):
    pods = (WORKLOAD % ("front", "istio: ingressgateway, app: front")).replace("demo", "istio-system")
    closed = gateway("gw", server("a.org", 8443))
    assert of("GL405", FRONT % "app: front" + closed) == []
    assert of("GL405", FRONT % "app: front" + pods + closed) == [("spec.servers[0].port.number", "warning")]
    more = (FRONT % "istio: ingressgateway").replace("name: front", "name: more").replace("port: 443", "port: 8443")
    assert of("GL405", FRONT % "app: front" + more + pods + closed) == []


@pytest.mark.parametrize(
    ("selector", "workload", "labels", "level"),
    [
        ("app: cat", "cat", "app: cat", None),
        ("app: cat", "cat", "app: cats, version: v1", "error"),  # the Pods are here, under other labels
        ("app: cat", "dog", "app: dog", "warning"),  # its Deployment may be elsewhere
        ("app: cat, tier: web", "cat", "app: cat", "error"),
    ],
)
def test_gl505_a_service_selects_pods(of, selector, workload, labels, level):
    text = service("cat", selector) + WORKLOAD % (workload, labels)
    found = [("spec.selector", level)] if level else []
    assert of("GL505", text + virtual_service("v", TO_CAT)) == found
    assert of("GL505", text + virtual_service("v", TO_CAT, "a.example.com", "a/b")) == found
    assert of("GL505", text) == []  # no route leads to it
    assert of("GL505", service("cat", selector) + virtual_service("v", TO_CAT)) == []  # no workload is given


def test_gl505_is_not_about_aliases_and_services_with_endpoints_of_their_own(of):
    pods, route = WORKLOAD % ("cat", "app: cats"), virtual_service("v", TO_CAT)
    alias = service("cat").replace("spec: {", "spec: {type: ExternalName, externalName: a.example.com, ")
    assert of("GL505", alias + pods + route) == []
    assert of("GL505", service("cat").replace("selector: {app: cat}, ", "") + pods + route) == []


def test_a_finding_s_level_is_that_of_its_case_everywhere(findings):
    (finding,) = findings(rule("cat", "{name: a}"))
    assert (finding.code, finding.level) == ("GL302", Level.INFO)
    assert " info GL302: " in str(finding)
