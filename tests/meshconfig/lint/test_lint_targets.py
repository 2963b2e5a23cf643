"""GL301 to GL504: subsets, Gateways, Services, Namespaces."""

import pytest

RULE = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: demo}
spec: {host: cat.demo.svc.cluster.local, subsets: [%s]}
---
"""
WORKLOAD = """\
apiVersion: %s
kind: %s
metadata: {name: cat-gray, namespace: %s}
spec: {template: {metadata: {labels: {%s}}, spec: {}}}
---
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: cat, namespace: %s}
spec: {selector: {app: cat}, type: ClusterIP, ports: [%s]}
---
"""
PORT = "{port: 9001, name: http}"
GRAY = "{name: gray, labels: {env: gray}}"


@pytest.mark.parametrize(
    ("api", "kind"), [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("argoproj.io/v1alpha1", "Rollout")]
)
def test_gl301_any_kind_with_a_pod_template_counts(codes, api, kind):
    assert codes(RULE % ("cat", GRAY) + WORKLOAD % (api, kind, "demo", "env: gray")) == []
    assert codes(RULE % ("cat", GRAY) + WORKLOAD % (api, kind, "demo", "env: prod")) == ["GL301"]


def test_gl301_a_pod_counts_by_its_own_labels(codes):
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: cat, namespace: demo, labels: {env: %s}}\nspec: {}\n---\n"
    assert codes(RULE % ("cat", GRAY) + pod % "gray") == []
    assert codes(RULE % ("cat", GRAY) + pod % "prod") == ["GL301"]


def test_gl301_a_subset_is_within_what_its_service_selects(codes):
    text = RULE % ("cat", GRAY) + WORKLOAD % ("apps/v1", "Deployment", "demo", "env: gray, app: dog")
    assert codes(text) == []
    assert codes(text + SERVICE % ("demo", PORT)) == ["GL301"]


def test_gl301_a_service_that_selects_another_version_has_no_such_pods(codes):
    service = (SERVICE % ("demo", PORT)).replace("{app: cat}", "{app: cat, env: prod}")
    text = RULE % ("cat", GRAY) + WORKLOAD % ("apps/v1", "Deployment", "demo", "env: gray, app: cat")
    assert codes(text + SERVICE % ("demo", PORT)) == []
    assert codes(text + service) == ["GL301"]


@pytest.mark.parametrize(
    ("subsets", "service", "level"),
    [
        ("prod gray", "app: cat", "warning"),  # prod is elsewhere: this file is a canary's
        ("prod", "app: cat", "error"),  # the Service's Pods are here, and no subset has any
        ("prod", "", "warning"),  # nothing shows that these Pods are the Service's
        ("prod", "app: dog", "warning"),  # its Pods are elsewhere
        ("prod gray", "app: cat, env: gray", "error"),  # no Pod anywhere is in the Service and has env: prod
    ],
)
def test_gl301_a_version_that_may_be_elsewhere_is_no_error(findings, subsets, service, level):
    text = RULE % ("cat", ", ".join(f"{{name: {one}, labels: {{env: {one}}}}}" for one in subsets.split()))
    text += WORKLOAD % ("apps/v1", "Deployment", "demo", "app: cat, env: gray")
    if service:
        text += (SERVICE % ("demo", PORT)).replace("app: cat", service)
    found = [one for one in findings(text) if one.code == "GL301"]
    assert [(one.path, one.level) for one in found][:1] == [("spec.subsets[0].labels", level)]


def test_gl301_says_nothing_of_a_namespace_whose_workloads_are_not_given(codes):
    assert codes(RULE % ("cat", GRAY) + WORKLOAD % ("apps/v1", "Deployment", "shop", "env: prod")) == []


def test_gl301_leaves_labels_alone_that_istio_adds(codes):
    zone = "{name: a, labels: {topology.kubernetes.io/zone: a}}"
    assert codes(RULE % ("cat", zone) + WORKLOAD % ("apps/v1", "Deployment", "demo", "env: prod")) == []


def test_gl302_a_subset_that_prefers_some_of_all_pods_needs_no_labels(codes):
    policy = "{loadBalancer: {localityLbSetting: {failoverPriority: [env=gray]}}}"
    assert codes(RULE % ("cat", f"{{name: gray, trafficPolicy: {policy}}}")) == []
    assert codes(RULE % ("cat", "{name: gray, trafficPolicy: {loadBalancer: {simple: RANDOM}}}")) == ["GL302"]
    switched_off = policy.replace("[env=gray]", "[env=gray], enabled: false")
    assert codes(RULE % ("cat", f"{{name: gray, trafficPolicy: {switched_off}}}")) == ["GL302"]


@pytest.mark.parametrize(
    ("subsets", "level"),
    [
        ("{name: cnn}", "info"),  # as for an egress gateway: the subset is a name for a policy
        ("{name: cnn}, {name: bbc}", "info"),
        ("{name: gray}, {name: prod, labels: {env: prod}}", "warning"),
    ],
)
def test_gl302_a_subset_among_versions_is_one(findings, subsets, level):
    assert {(one.code, one.level) for one in findings(RULE % ("cat", subsets))} == {("GL302", level)}


@pytest.mark.parametrize(
    ("field", "other", "twice"),
    [
        ("", "", True),
        ("exportTo: ['.'], ", "exportTo: [shop], ", False),
        ("workloadSelector: {matchLabels: {app: a}}, ", "", False),
    ],
)
def test_gl303_two_rules_clash_where_one_caller_reads_both(codes, field, other, twice):
    text = (RULE % ("one", GRAY)).replace("{host", f"{{{field}host") + (RULE % ("two", GRAY)).replace(
        "{host", f"{{{other}host"
    )
    assert codes(text) == ["GL303"] * twice
    assert codes(text.replace("name: two, namespace: demo", "name: two, namespace: shop")) == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("v1-2", False), ("a" * 63, False), ("a" * 64, True), ("V1", False), ("v1_2", True), ("v1.2", True), ("''", True)],
)
def test_gl304_a_name_is_a_dns_label(codes, name, wrong):
    assert codes(RULE % ("cat", f"{{name: {name}, labels: {{env: a}}}}")) == ["GL304"] * wrong


GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: %s, namespace: %s}
spec:
  selector: {%s}
  servers: [{port: {number: %d, name: http, protocol: HTTP}, hosts: [%s]}]
---
"""


@pytest.mark.parametrize(
    ("selector", "port", "host", "clash"),
    [
        ("istio: ingressgateway", 80, "a.example.com", True),
        ("istio: ingressgateway", 80, "'*/a.example.com'", True),
        ("istio: ingressgateway", 80, "b.example.com", False),
        ("istio: ingressgateway", 8080, "a.example.com", False),
        ("istio: other", 80, "a.example.com", False),
        ("app: front", 80, "a.example.com", False),
    ],
)
def test_gl401_the_same_pods_port_and_host_clash_across_namespaces(codes, selector, port, host, clash):
    one = GATEWAY % ("one", "demo", "istio: ingressgateway", 80, "a.example.com")
    assert codes(one + GATEWAY % ("two", "shop", selector, port, host)) == ["GL401"] * clash


@pytest.mark.parametrize(("one", "two", "clash"), [("./*.org", "demo/*.org", True), ("./*.org", "shop/*.org", False)])
def test_gl401_hosts_of_one_namespace_are_the_same_however_it_is_named(codes, one, two, clash):
    here = GATEWAY % ("one", "demo", "istio: ingressgateway", 80, one)
    assert codes(here + GATEWAY % ("two", "shop", "istio: ingressgateway", 80, two)) == ["GL401"] * clash


def test_gl401_other_labels_of_the_same_pods_clash_once_the_pods_are_given(codes):
    one = GATEWAY % ("one", "demo", "istio: ingressgateway", 80, "a.example.com")
    two = GATEWAY % ("two", "demo", "app: front", 80, "a.example.com")
    pods = WORKLOAD % ("apps/v1", "Deployment", "istio-system", "istio: ingressgateway, app: front")
    assert codes(one + two) == []
    assert codes(one + two + pods) == ["GL401"]


def test_gl402_is_silent_until_a_gateway_s_own_workload_is_given(codes):
    gateway = GATEWAY % ("one", "demo", "istio: ingresgateway", 80, "a.example.com")
    app = WORKLOAD % ("apps/v1", "Deployment", "demo", "app: cat")
    proxy = WORKLOAD % ("apps/v1", "Deployment", "istio-system", "istio: ingressgateway")
    assert codes(gateway + app) == []
    assert codes(gateway + app + proxy) == ["GL402"]


TEAM = WORKLOAD % ("apps/v1", "Deployment", "%s", "istio: team-gateway")


@pytest.mark.parametrize(
    "selector", ["istio: ingressgateway", "app: istio-ingressgateway", "istio: ingress", "istio: egressgateway"]
)
def test_gl402_the_gateway_that_istio_installs_is_in_nobody_s_files(codes, selector):
    for place in ("demo", "istio-system"):
        assert codes(TEAM % place + GATEWAY % ("one", "demo", selector, 80, "a.example.com")) == []


@pytest.mark.parametrize(("place", "found"), [("demo", ["GL402"]), ("istio-system", ["GL402"]), ("other", [])])
def test_gl402_a_gateway_s_workload_of_another_namespace_says_nothing_of_this_one(codes, place, found):
    assert codes(TEAM % place + GATEWAY % ("one", "demo", "istio: teem-gateway", 80, "a.example.com")) == found


@pytest.mark.parametrize(
    ("port", "unknown"),
    [
        ("port: 80, name: http", False),
        ("port: 80, name: http-web", False),
        ("port: 80, name: grpc-web-api", False),
        ("port: 80, name: tcp-db", False),
        ("port: 80, name: httpweb", True),
        ("port: 80, name: web-http", True),
        ("port: 80", True),
        ("port: 80, name: web, appProtocol: http", False),
        ("port: 80, name: web, appProtocol: kubernetes.io/h2c", False),
        ("port: 80, name: http, appProtocol: mine", True),  # appProtocol goes before the name
        ("port: 3306, name: db", False),  # a server that speaks first is never sniffed
        ("port: 53, name: dns, protocol: UDP", False),
    ],
)
def test_gl501_a_port_says_its_protocol_by_name_or_app_protocol(codes, findings, port, unknown):
    found = findings(SERVICE % ("demo", f"{{{port}}}"))
    assert [(one.code, one.level) for one in found] == [("GL501", "info")] * unknown
    assert codes(SERVICE % ("kube-system", f"{{{port}}}")) == []


def test_gl502_one_http_port_is_enough(codes, routed):
    tcp, web = "{port: 1, name: tcp-a}", "{port: 2, name: web}"
    assert codes(SERVICE % ("demo", tcp) + routed(None)) == ["GL502"]
    assert codes(SERVICE % ("demo", f"{tcp}, {PORT}") + routed(None)) == []
    assert "GL502" not in codes(SERVICE % ("demo", web) + routed(None))  # sniffed
    assert codes(SERVICE % ("demo", tcp) + routed(None, extra="  gateways: [demo/front]\n", hosts="a.org")) == []


NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {%s}}\n---\n"


@pytest.mark.parametrize(
    ("name", "labels", "found"),
    [
        ("demo", "", ["GL503"]),
        ("demo", "istio-injection: enabled", []),
        ("demo", "istio-injection: disabled", []),
        ("demo", "istio.io/rev: canary", []),
        ("demo", "istio.io/dataplane-mode: ambient", []),
        ("kube-system", "", []),
    ],
)
def test_gl503_a_namespace_says_who_injects(findings, routed, name, labels, found):
    route = routed(None).replace("demo", name)
    assert [(one.code, one.level) for one in findings(NAMESPACE % (name, labels) + route)] == [
        (c, "info") for c in found
    ]


@pytest.mark.parametrize(
    ("extra", "match", "found"),
    [
        ("", None, False),  # the routes are for callers of demo and shop
        ("  exportTo: [tools]\n", None, True),
        ("  exportTo: ['.']\n", None, False),
        ("", "{sourceNamespace: tools}", True),
        ("  gateways: [demo/front]\n", "{sourceNamespace: tools}", False),
    ],
)
def test_gl503_is_about_namespaces_for_whose_callers_routes_are(codes, routed, extra, match, found):
    host = "cat.shop.svc.cluster.local"
    text = routed(*([match, None] if match else [None]), hosts=host, extra=extra)
    assert codes(NAMESPACE % ("tools", "")) == []
    assert ("GL503" in codes(NAMESPACE % ("tools", "") + text)) is found
    concerned = not extra
    assert ("GL503" in codes(NAMESPACE % ("shop", "") + text)) is concerned


def test_gl503_pods_may_all_ask_for_a_sidecar_themselves(codes, routed):
    asks = WORKLOAD % ("apps/v1", "Deployment", "demo", 'sidecar.istio.io/inject: "true"')
    given = NAMESPACE % ("demo", "") + routed(None) + "---\n" + asks
    assert codes(given) == []
    other = (WORKLOAD % ("apps/v1", "Deployment", "demo", "app: cat")).replace("cat-gray", "cat")
    assert codes(given + other) == ["GL503"]


@pytest.mark.parametrize(
    ("labels", "two"),
    [
        ("istio-injection: enabled, istio.io/rev: a", True),
        ("istio.io/rev: a, istio.io/dataplane-mode: ambient", True),
        ("istio-injection: disabled, istio.io/rev: a", False),
        ("istio-injection: enabled", False),
    ],
)
def test_gl504_one_label_says_it(codes, labels, two):
    assert codes(NAMESPACE % ("demo", labels)) == ["GL504"] * two
