"""GL101 to GL111: what is named and is not there; silent where it cannot be known."""

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


TO_GRAY = "route: [{destination: {host: %s, subset: gray}}]"


def test_gl101_a_subset_is_not_missed_while_no_destination_rule_is_given(codes):
    text = virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY)
    assert codes(text) == []
    assert codes(RULE % ("dog", "dog.demo.svc.cluster.local") + text) == ["GL101"]


@pytest.mark.parametrize("namespace", ["other", "istio-system"])
def test_gl101_another_namespace_s_rules_say_nothing_of_this_one(codes, namespace):
    other = (RULE % ("dog", f"dog.{namespace}.svc.cluster.local")).replace("namespace: demo", f"namespace: {namespace}")
    assert codes(other + virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY)) == []
    # A rule may be in the namespace of the Service, or in that of the route.
    here = RULE % ("cow", "cow.demo.svc.cluster.local")
    assert codes(here + virtual_service(f"cat.{namespace}.svc.cluster.local", field=TO_GRAY)) == []


def gray(host, name="all", namespace="demo", subset="gray"):
    rule = (RULE % (name, f'"{host}"')).replace("namespace: demo", f"namespace: {namespace}")
    return rule.replace("{name: prod, labels: {env: prod}}", f"{{name: {subset}, labels: {{env: {subset}}}}}")


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (("*.demo.svc.cluster.local",), []),
        (("*.svc.cluster.local",), []),
        (("*",), []),
        (("*.local",), []),
        (("*.other.svc.cluster.local", "cow.demo.svc.cluster.local"), ["GL101"]),
    ],
)
def test_gl101_a_wildcard_rule_has_the_subsets_of_each_of_its_hosts(codes, rules, found):
    text = "".join(gray(host, f"r{number}") for number, host in enumerate(rules))
    assert codes(text + virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY)) == found


def test_gl101_of_two_rules_the_more_specific_alone_is_in_force(findings):
    text = gray("*.demo.svc.cluster.local") + gray("cat.demo.svc.cluster.local", "cat", subset="prod")
    (finding,) = findings(text + virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY))
    assert finding.code == "GL101"
    assert "demo/cat goes before the one that has the subset gray" in finding.message


def test_gl101_of_many_rules_in_the_place_of_another_three_are_named(findings):
    many = [gray("cat.demo.svc.cluster.local", f"cat-{one}", subset=f"v{one}") for one in range(9)]
    text = gray("*.demo.svc.cluster.local") + "".join(many)
    (finding,) = findings(text + virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY))
    assert (
        "callers the DestinationRule demo/cat-0, demo/cat-1, demo/cat-2 or another one goes before" in finding.message
    )


def test_gl101_a_namespace_with_a_rule_of_its_own_misses_the_subset_of_the_service_s(findings):
    """Of many namespaces whose callers use the Service's rule, one has another rule in force."""
    host = "cat.demo.svc.cluster.local"
    unused = "".join(
        gray(host, namespace=f"n{one}", subset="red").replace("spec: {", "spec: {exportTo: [elsewhere], ")
        for one in range(5)
    )
    text = gray(host) + unused + virtual_service(host, field=TO_GRAY)
    assert findings(text) == []
    (finding,) = findings(text + gray(host, namespace="n9", subset="red"))
    assert "for callers in n9 the DestinationRule" in finding.message


def test_gl101_the_caller_s_own_rule_goes_before_that_of_the_service(findings):
    text = gray("cat.demo.svc.cluster.local") + gray("cat.demo.svc.cluster.local", "mine", "web", subset="prod")
    (finding,) = findings(text + virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY))
    assert (finding.code, "callers in web" in finding.message) == ("GL101", True)


def test_gl101_a_rule_for_some_workloads_may_have_it(codes):
    rule = gray("cat.demo.svc.cluster.local").replace("{host", "{workloadSelector: {matchLabels: {app: web}}, host")
    own = virtual_service("cat.demo.svc.cluster.local", field=TO_GRAY).replace("hosts:", "exportTo: [.], hosts:")
    assert codes(rule + own) == []


@pytest.mark.parametrize("half", ["cat.demo", "cat.demo.svc"])
def test_gl101_half_a_name_is_told_how_to_be_whole(findings, half):
    given = gray("cat.demo.svc.cluster.local")
    for text in (given, given.replace("namespace: demo", "namespace: istio-system")):
        (finding,) = findings(text + virtual_service(half, namespace="web", field=TO_GRAY))
        assert finding.code == "GL101"
        assert "write cat.demo.svc.cluster.local" in finding.message


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


@pytest.mark.parametrize(("entry", "missed"), [("api.example.com", False), ("*.example.com", True), ("a.org", True)])
def test_gl102_a_host_outside_needs_a_service_entry_of_its_own_once_any_are_given(codes, entry, missed):
    assert codes(SERVICE % ("cat", "demo", "") + virtual_service("api.example.com")) == []
    assert codes(ENTRY % entry + virtual_service("api.example.com")) == ["GL102"] * missed


def test_gl102_a_wildcard_is_a_destination_by_its_own_name_only(findings):
    assert findings(ENTRY % "*.example.com" + virtual_service('"*.example.com"')) == []
    (finding,) = findings(ENTRY % "*.example.com" + virtual_service("api.example.com"))
    assert "makes no cluster for the hosts within it" in finding.message


def test_gl103_a_rule_for_a_host_within_a_service_entry_s_wildcard_is_no_unknown_one(codes):
    text = ENTRY % "*.example.com" + RULE % ("api", "%s.example.com")
    assert codes(text % "api") == []
    assert codes(ENTRY % "*.example.com" + RULE % ("api", "api.example.org")) == ["GL103"]


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


@pytest.mark.parametrize("gateways", ["", "gateways: [front/front], "])
def test_gl111_a_rule_of_a_third_namespace_is_looked_for_by_nobody(codes, gateways):
    """Neither the callers' nor the Service's nor the root namespace."""
    rule = gray("cat.demo.svc.cluster.local", namespace="config")
    route = virtual_service("cat.demo.svc.cluster.local", "web", TO_GRAY).replace(
        "x.example.com", "cat.demo.svc.cluster.local"
    )
    route = route.replace("hosts:", f"{gateways}hosts:")
    assert codes(rule + route) == ["GL111"]
    for place in ("demo", "istio-system", *(["front"] if gateways else [])):
        assert codes(rule.replace("namespace: config", f"namespace: {place}") + route) == []


def test_gl111_a_route_that_its_callers_alone_see_finds_their_rule(codes):
    rule = gray("cat.demo.svc.cluster.local", namespace="web")
    route = virtual_service("cat.demo.svc.cluster.local", "web", TO_GRAY).replace(
        "x.example.com", "cat.demo.svc.cluster.local"
    )
    assert codes(rule + route) == ["GL111"]
    assert codes(rule + route.replace("hosts:", "exportTo: ['.'], hosts:")) == []
    assert codes(rule + route.replace("hosts:", "exportTo: [web, other], hosts:")) == ["GL111"]


def test_gl111_a_route_to_an_egress_gateway_is_for_its_own_namespace(codes):
    """As Istio's task has it: the callers, the route and the rule are in one namespace, and the gateway in another."""
    host = "istio-egressgateway.istio-system.svc.cluster.local"
    rule = gray(host).replace("istio-system", "gateways")
    assert codes(rule + virtual_service(host.replace("istio-system", "gateways"), field=TO_GRAY)) == []


TWICE = virtual_service("cat.demo.svc.cluster.local")
OTHER = virtual_service("dog.demo.svc.cluster.local")


def test_gl110_one_finding_for_each_resource_that_another_replaces(findings):
    found = findings(TWICE + OTHER)
    assert [(one.code, one.path, one.location.line) for one in found] == [("GL110", "metadata.name", 3)]
    assert "in.yaml:8" in found[0].message
    assert [one.location.line for one in findings(TWICE + OTHER + TWICE)] == [8]  # the first is as the last


def test_gl110_the_same_content_again_and_another_namespace_or_kind_or_group_are_fine(codes):
    assert codes(TWICE + TWICE) == []
    assert codes(TWICE + OTHER.replace("namespace: demo", "namespace: other").replace("x.example", "y.example")) == []
    assert codes(TWICE + TWICE.replace("networking.istio.io/v1", "networking.istio.io/v1beta1")) == ["GL110"]
    foreign = "apiVersion: %s\nkind: Rollout\nmetadata: {name: v, namespace: demo}\nspec: {a: b}\n---\n"
    assert codes(foreign % "a.io/v1" + foreign % "b.io/v1") == []


def test_gl110_what_is_generated_has_no_name_to_share(codes):
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, namespace: demo}\nspec: {a: %s}\n---\n"
    assert codes(job % 1 + job % 2) == []


def test_gl110_the_last_one_is_what_the_other_rules_check(codes):
    bad = virtual_service("cat", field="route: [{destination: {host: %s}, weight: 10}]")
    assert codes(bad + TWICE) == ["GL110"]
    assert codes(TWICE + bad) == ["GL108", "GL110", "GL207"]


@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule", "Gateway"])
def test_gl110_no_resource_is_in_conflict_with_itself(codes, kind):
    """GL216, GL217, GL303 and GL401 are about two resources."""
    gateway = GATEWAY % ("demo", "a.example.com")
    rule = gray("cat.demo.svc.cluster.local")
    texts = {
        "VirtualService": (BOUND % ("a.example.com", "other/front"), "host: cat.demo", "host: dog.demo"),
        "DestinationRule": (rule, "env: gray", "env: blue"),
        "Gateway": (gateway, "name: http,", "name: web,"),
    }
    text, old, new = texts[kind]
    assert codes(f"{text}---\n{text.replace(old, new)}") == ["GL110"]


KUBERNETES = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %s, namespace: demo}
spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
"""


def test_gl104_a_gateway_of_the_kubernetes_gateway_api_is_one(codes):
    given = GATEWAY % ("demo", "'*'") + KUBERNETES % "public"
    for name in ("public", "demo/public"):
        assert codes(given + BOUND % ("a.example.com", name)) == []
    assert codes(given + BOUND % ("a.example.com", "demo/private")) == ["GL104"]


TWO_PORTS = SERVICE % ("cat", "demo", ", {port: 9090, name: http-metrics}")
AT_FRONT = BOUND % ("a.example.com", "%s")


@pytest.mark.parametrize(
    ("ports", "level"), [("80", "info"), ("9090", "info"), ("8080", "error"), ("443", "error"), (None, "error")]
)
def test_gl106_a_gateway_s_port_goes_on_to_the_service(findings, ports, level):
    gateway = (GATEWAY % ("demo", "'*'")).replace("number: 80", f"number: {ports}") if ports else ""
    (finding,) = findings(gateway + TWO_PORTS + AT_FRONT % "front")
    assert (finding.code, finding.level) == ("GL106", level)
    assert findings(gateway + SERVICE % ("cat", "demo", "") + AT_FRONT % "front") == []


def test_gl106_between_services_the_caller_has_named_the_port(codes):
    assert codes(TWO_PORTS + virtual_service("cat.demo.svc.cluster.local")) == []


def test_gl107_a_sidecar_goes_on_with_the_called_port_which_the_destination_must_have(codes):
    called = SERVICE % ("x", "demo", "")
    route = virtual_service("cat.demo.svc.cluster.local").replace("x.example.com", "x.demo.svc.cluster.local")
    other = (SERVICE % ("cat", "demo", "")).replace("80", "8080")
    assert codes(called + SERVICE % ("cat", "demo", "") + route) == []
    assert codes(called + other + route) == ["GL107"]
    assert codes(called + other + route.replace("cluster.local}", "cluster.local, port: {number: 8080}}")) == []


@pytest.mark.parametrize("port", ["", ", port: {number: 80}"])
@pytest.mark.parametrize("hosts", ["gateways: [front], hosts", "hosts"])
def test_gl107_an_alias_needs_no_port_of_its_own(codes, port, hosts):
    alias = "apiVersion: v1\nkind: Service\nmetadata: {name: old, namespace: demo}\n"
    alias += "spec: {type: ExternalName, externalName: cat.demo.svc.cluster.local%s}\n---\n"
    route = virtual_service("old.demo.svc.cluster.local", field=f"route: [{{destination: {{host: %s{port}}}}}]")
    for ports in ("", ", ports: [{port: 1, name: http}, {port: 2, name: http-b}]"):
        assert codes(alias % ports + SERVICE % ("cat", "demo", "") + route.replace("hosts", hosts)) == []
