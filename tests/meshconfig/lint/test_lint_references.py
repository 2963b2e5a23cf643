"""GL101 to GL109: what is named and is not there; silent where it cannot be known."""

import pytest

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {selector: {app: x}, ports: [{port: 80, name: http}%s]}
---
"""
ENTRY = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: demo}
spec: {hosts: ["%s"], ports: [{number: 80, name: http, protocol: HTTP}]}
---
"""
RULE = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: demo}
spec: {host: %s, subsets: [{name: prod, labels: {env: prod}}]}
---
"""


def virtual_service(host, namespace="demo", field="route: [{destination: {host: %s}}]"):
    return (
        f"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v, namespace: {namespace}}}\n"
        f"spec: {{hosts: [x.example.com], http: [{{{field % host}}}]}}\n---\n"
    )


def test_gl101_looks_at_mirrors_too_and_at_rules_by_short_name(codes):
    mirror = "route: [{destination: {host: cat.demo.svc.cluster.local}}], mirror: {host: %s, subset: gray}"
    text = virtual_service("cat.demo.svc.cluster.local", field=mirror)
    assert codes(RULE % ("cat", "cat") + text) == ["GL101", "GL108"]
    assert codes(RULE % ("cat", "cat") + text.replace("gray", "prod")) == ["GL108"]


def test_gl101_a_subset_is_not_missed_while_no_destination_rule_is_given(codes):
    text = virtual_service("cat.demo.svc.cluster.local", field="route: [{destination: {host: %s, subset: gray}}]")
    assert codes(text) == []
    assert codes(RULE % ("dog", "dog.demo.svc.cluster.local") + text) == ["GL101"]


def test_gl102_a_service_is_missed_only_where_services_of_its_namespace_are_given(codes):
    missing = virtual_service("mouse.demo.svc.cluster.local")
    assert codes(missing) == []
    assert codes(SERVICE % ("cat", "other", "") + missing) == []
    assert codes(SERVICE % ("cat", "demo", "") + missing) == ["GL102"]
    assert codes(SERVICE % ("mouse", "demo", "") + missing) == []


def test_gl102_a_short_name_is_of_the_route_s_own_namespace(codes):
    assert codes(SERVICE % ("cat", "demo", "") + virtual_service("cat")) == ["GL108"]
    given = SERVICE % ("cat", "demo", "") + SERVICE % ("dog", "shop", "")
    assert codes(given + virtual_service("cat", namespace="shop")) == ["GL102", "GL108"]


def test_gl102_a_name_with_one_dot_is_no_service_to_istio_and_the_message_says_so(findings):
    (finding,) = findings(SERVICE % ("cat", "demo", "") + virtual_service("cat.demo"))
    assert finding.code == "GL102"
    assert "write cat.demo.svc.cluster.local" in finding.message


@pytest.mark.parametrize(("entry", "missed"), [("api.example.com", False), ("*.example.com", False), ("a.org", True)])
def test_gl102_a_host_outside_needs_a_service_entry_once_any_are_given(codes, entry, missed):
    assert codes(SERVICE % ("cat", "demo", "") + virtual_service("api.example.com")) == []
    assert codes(ENTRY % entry + virtual_service("api.example.com")) == ["GL102"] * missed


def test_gl102_reads_tcp_routes_as_well(codes):
    text = virtual_service("mouse.demo.svc.cluster.local").replace("http: [", "tcp: [")
    assert codes(SERVICE % ("cat", "demo", "") + text) == ["GL102"]


def test_gl103_a_wildcard_host_is_no_unknown_one(codes):
    given = SERVICE % ("cat", "demo", "")
    assert codes(given + RULE % ("all", '"*.demo.svc.cluster.local"')) == []
    assert codes(given + RULE % ("dog", "dog.demo.svc.cluster.local")) == ["GL103"]


GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: %s}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [%s]}]
---
"""
BOUND = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: demo}
spec:
  hosts: [%s]
  gateways: [%s]
  http: [{route: [{destination: {host: cat.demo.svc.cluster.local}}]}]
"""


def test_gl104_a_gateway_of_a_namespace_of_which_none_is_given_is_not_missed(codes):
    bound = BOUND % ("a.example.com", "mesh, other/front")
    assert codes(GATEWAY % ("demo", "'*'") + bound) == []
    assert codes(GATEWAY % ("other", "'*'") + bound) == []
    assert codes(GATEWAY % ("other", "'*'") + bound.replace("other/front", "other/back")) == ["GL104"]


@pytest.mark.parametrize(
    ("served", "hosts", "missed"),
    [
        ("'*'", "a.example.com", 0),
        ("'*.example.com'", "a.example.com, a.example.org", 1),
        ("demo/a.example.com", "a.example.com", 0),
        ("other/a.example.com", "a.example.com", 1),
        ("./a.example.com", "a.example.com", 0),
        ("'*/a.example.com'", "a.example.com", 0),
        ("a.example.com", "'*.example.com'", 0),
    ],
)
def test_gl105_a_host_is_served_as_the_server_s_patterns_and_namespaces_say(findings, served, hosts, missed):
    found = findings(GATEWAY % ("demo", served) + BOUND % (hosts, "front"))
    assert [one.code for one in found] == ["GL105"] * missed


def test_gl105_a_host_for_sidecars_needs_no_gateway(codes):
    hosts = "a.example.com, cat.demo.svc.cluster.local"
    assert codes(GATEWAY % ("demo", "a.example.com") + BOUND % (hosts, "front, mesh")) == []
    assert codes(GATEWAY % ("demo", "a.example.com") + BOUND % (hosts, "front")) == ["GL105"]


def test_gl105_says_nothing_while_one_of_the_gateways_is_not_there(codes):
    assert codes(GATEWAY % ("demo", "b.example.com") + BOUND % ("a.example.com", "front, other/front")) == []


def test_gl106_one_port_needs_no_saying(codes):
    text = virtual_service("cat.demo.svc.cluster.local")
    assert codes(SERVICE % ("cat", "demo", "") + text) == []
    assert codes(SERVICE % ("cat", "demo", ", {port: 81, name: http-b}") + text) == ["GL106"]


def test_gl107_is_about_the_service_s_port_not_the_target_port(codes):
    field = "route: [{destination: {host: %s, port: {number: 8080}}}]"
    text = virtual_service("cat.demo.svc.cluster.local", field=field)
    assert codes(SERVICE % ("cat", "demo", ", {port: 8080, name: http-b}") + text) == []
    assert codes(SERVICE % ("cat", "demo", "") + text) == ["GL107"]


def test_gl108_names_each_short_host_and_what_it_means(findings):
    text = virtual_service("cat").replace("x.example.com", "cat") + RULE % ("cat", "cat")
    found = findings(text)
    assert [one.path for one in found] == ["spec.hosts[0]", "spec.http[0].route[0].destination.host", "spec.host"]
    assert all("cat.demo.svc.cluster.local" in one.message for one in found)


@pytest.mark.parametrize(
    ("routes", "rules", "apart"),
    [("'*'", "'.'", True), ("'.'", "'.'", False), ("'.'", "'*'", False), ("a, b", "a", True), ("a", "a, b", False)],
)
def test_gl109_a_route_s_namespaces_must_all_see_the_subset(codes, routes, rules, apart):
    field = "route: [{destination: {host: %s, subset: prod}}]"
    text = virtual_service("cat.demo.svc.cluster.local", field=field)
    text = text.replace("hosts:", f"exportTo: [{routes}], hosts:")
    rule = (RULE % ("cat", "cat.demo.svc.cluster.local")).replace("host:", f"exportTo: [{rules}], host:", 1)
    assert codes(rule + text) == ["GL109"] * apart


def test_a_field_that_is_null_is_one_that_is_not_there(codes):
    text = virtual_service("cat.demo.svc.cluster.local").replace(
        "namespace: demo}", "namespace: demo, labels: , annotations: }"
    )
    assert codes(text.replace("http: [{", "gateways: , http: [{match: , ")) == []
