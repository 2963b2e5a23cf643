"""Before the first write: what is missing in the cluster is found, named, and told how to mend."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.backend import kinds
from meshconfig.cluster.granted import Granted
from meshconfig.cluster.objects import Key, key
from meshconfig.cluster.preflight import Finding, Permission, istio_version, permissions, preflight
from meshconfig.compile import compile_group
from meshconfig.errors import ApiError, ClusterError
from meshconfig.groups import groups
from meshconfig.lint import Level
from meshconfig.load import parse
from meshconfig.render import render

ROOT = Path(__file__).parents[3]
SPEC = (ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text()
ISTIO = {"versions": [{"version": "v1"}, {"version": "v1beta1"}, {"version": "v1alpha3"}]}
KINDS = {"resources": [{"kind": kind} for kind in ("VirtualService", "DestinationRule", "Gateway", "Sidecar")]}


def model(text=SPEC):
    (group,) = groups(parse(text, "spec.yaml"))
    return compile_group(group.spec)


def namespace(name="demo", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {one.replace("_", "-"): value for one, value in labels.items()}},
    }


def service(name, number=9001, /, space="demo", selector=None, **more):
    ports = [{"port": number, "name": "http", **more}]
    spec = {"selector": {"app": name.removesuffix("-svc")} if selector is None else selector, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": space}, "spec": spec}


def pod(app, env, *, ready=True, space="demo", **metadata):
    status = {"conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": str(ready)}]}
    name = {"name": f"{app}-{env}", "namespace": space, "labels": {"app": app, "env": env}, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": {}, "status": status}


class Cluster:
    """As `Client`: a cluster where all is well with the example, but for what a test changes."""

    def __init__(self):
        self.paths = {
            "/apis/networking.istio.io": ISTIO,
            "/apis/networking.istio.io/v1": KINDS,
            "/apis/networking.istio.io/v1beta1": KINDS,
            "/api/v1/namespaces/demo": namespace(istio_injection="enabled"),
        }
        self.services = {one["metadata"]["name"]: one for one in (service("cat-svc"), service("mouse-svc"))}
        self.pods = [pod(app, env) for app in ("cat", "mouse") for env in ("prod", "gray")]
        self.gateways = []
        self.denied = set()
        self.forbidden = set()
        self.asked = []
        self.granted = Granted()

    def get(self, where, query=None):
        self.asked.append(where)
        self._forbid(where)
        return self.paths.get(where)

    def list_resources(self, kind, space, selector="", *, name="", istio_api="v1"):
        self.asked.append(f"{kind}s of {space} {name or selector}".strip())
        self._forbid(f"{kind}s of {space}")
        found = {"Service": self.services.values(), "Pod": self.pods, "Gateway": self.gateways}[kind]
        return [
            one
            for one in found
            if one["metadata"]["namespace"] == space and name in ("", one["metadata"]["name"])
            if not selector or set(selector.split(",")) <= {f"{k}={v}" for k, v in one["metadata"]["labels"].items()}
        ]

    def request(self, method, where, body):
        self._forbid(where)
        if where.endswith("selfsubjectrulesreviews"):
            return {"status": {"incomplete": True, "resourceRules": []}}
        assert (method, where) == ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        assert (body["apiVersion"], body["kind"]) == ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        said = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": (said["verb"], said["resource"], said["namespace"]) not in self.denied}}

    def map_concurrently(self, function, items):
        return [function(item) for item in items]

    def _forbid(self, what):
        if what in self.forbidden:
            raise ApiError(403, "Forbidden", f"user cannot have {what}")


@pytest.fixture
def cluster():
    return Cluster()


def found(cluster, one=None, needs=()):
    return preflight(cluster, one or model(), needs)


def only(cluster, one=None, needs=()):
    (finding,) = found(cluster, one, needs)
    return finding


def test_where_all_is_well_nothing_is_said(cluster):
    assert found(cluster, needs=permissions(model(), ["demo"])) == []


def test_of_a_namespace_only_the_groups_services_and_their_pods_are_read(cluster):
    assert found(cluster) == []
    assert sorted(cluster.asked) == [
        "/api/v1/namespaces/demo",
        "/apis/networking.istio.io",
        "/apis/networking.istio.io/v1",
        "Pods of demo app=cat",
        "Pods of demo app=mouse",
        "Services of demo cat-svc",
        "Services of demo mouse-svc",
    ]


def test_many_services_of_a_namespace_and_their_pods_are_read_by_one_list_each(cluster, monkeypatch):
    for module in ("named", "preflight.look"):
        monkeypatch.setattr(sys.modules[f"meshconfig.cluster.{module}"], "FEW", 1)
    assert found(cluster) == []
    assert sorted(cluster.asked)[3:] == ["Pods of demo", "Services of demo"]


def test_a_finding_is_told_with_its_fix():
    finding = Finding(Level.WARNING, "is ill", "Service demo/cat", "Call a vet.")
    assert str(finding) == "warning: Service demo/cat: is ill\n  Call a vet."


# Istio's own resources


def test_the_newer_api_is_taken(cluster):
    assert istio_version(cluster) == "v1"
    cluster.paths["/apis/networking.istio.io"] = {"versions": [{"version": "v1beta1"}, {"version": "v1alpha3"}]}
    assert istio_version(cluster) == "v1beta1"
    assert found(cluster) == []


@pytest.mark.parametrize(
    ("group", "said"),
    [(None, "is served"), ({"versions": [{"version": "v1alpha3"}]}, "is served, only v1alpha3")],
)
def test_without_istio_nothing_can_be_written(cluster, group, said):
    cluster.paths["/apis/networking.istio.io"] = group
    del cluster.paths["/apis/networking.istio.io/v1"]
    with pytest.raises(ClusterError, match=r"serves neither v1 nor v1beta1 of networking\.istio\.io\. Install Istio"):
        istio_version(cluster)
    finding = only(cluster)
    assert (finding.level, finding.where) == ("error", "networking.istio.io")
    assert finding.what.endswith(said)
    assert finding.fix.startswith("Install Istio")


def test_a_kind_of_the_gateway_api_is_missing(cluster):
    one = replace(model(), backend="gateway")
    missing = found(cluster, one)
    assert [finding.what for finding in missing] == ["there is no Gateway", "there is no HTTPRoute"]
    assert all(finding.fix.startswith("Install the CRDs of Gateway API") for finding in missing)
    there = {"resources": [{"kind": kind} for kind in ("Gateway", "HTTPRoute")]}
    cluster.paths["/apis/gateway.networking.k8s.io/v1"] = there
    assert found(cluster, one) == []


def test_a_kind_of_istios_is_missing(cluster):
    cluster.paths["/apis/networking.istio.io/v1"] = {"resources": KINDS["resources"][1:]}
    finding = only(cluster)
    assert (finding.level, finding.where, finding.what) == (
        "error",
        "networking.istio.io/v1",
        "there is no VirtualService",
    )


# Namespaces


def test_a_namespace_that_is_missing(cluster):
    del cluster.paths["/api/v1/namespaces/demo"]
    cluster.services, cluster.pods = {}, []
    finding = only(cluster)
    assert (finding.level, finding.where) == ("error", "Namespace demo")
    assert finding.fix == "kubectl create namespace demo"


@pytest.mark.parametrize(
    ("labels", "said", "fix"),
    [
        ({}, "neither istio-injection nor istio.io/rev", "kubectl label namespace demo istio-injection=enabled"),
        ({"istio_injection": "disabled"}, "is disabled", "kubectl label namespace demo --overwrite istio-injection=e"),
        ({"istio_injection": "enabled", "istio.io/rev": "x"}, "give one", "kubectl label namespace demo istio.io/rev-"),
    ],
)
def test_a_namespace_whose_pods_get_no_sidecar(cluster, labels, said, fix):
    cluster.paths["/api/v1/namespaces/demo"] = namespace(**labels)
    finding = only(cluster)
    assert (finding.level, finding.where) == ("warning", "Namespace demo")
    assert said in finding.what
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize("labels", [{"istio.io/rev": "1-29"}, {"istio_injection": "enabled"}])
def test_a_namespace_with_injection_is_well(cluster, labels):
    cluster.paths["/api/v1/namespaces/demo"] = namespace(**labels)
    assert found(cluster) == []


def test_a_namespace_of_entries_alone_needs_no_sidecars(cluster):
    text = SPEC.replace("namespace: demo", "namespace: edge").replace("-svc\n", "-svc.demo\n")
    cluster.paths["/api/v1/namespaces/edge"] = namespace("edge")
    assert found(cluster, model(text)) == []
    assert "Pods of edge" not in cluster.asked
    cluster.paths["/api/v1/namespaces/edge"] = namespace("edge", istio_injection="disabled")
    assert found(cluster, model(text)) == []
    del cluster.paths["/api/v1/namespaces/edge"]
    assert only(cluster, model(text)).where == "Namespace edge"
    assert only(cluster, replace(model(text), entries=())).where == "Namespace edge"  # the records are there


# Services and their ports


def test_a_service_that_is_missing_and_what_may_be_meant(cluster):
    cluster.services["cats-svc"] = service("cats-svc")
    del cluster.services["cat-svc"]
    finding = only(cluster)
    assert (finding.level, finding.where) == ("error", "Service demo/cat-svc")
    assert finding.what == "does not exist; did you mean cats-svc?"
    # Of its own namespace, though another's is nearer.
    cluster.paths["/api/v1/namespaces/shop"] = namespace("shop", istio_injection="enabled")
    cluster.services |= {"cat-svc": service("cat-svc", space="shop"), "mouse": service("mouse-svc", space="shop")}
    cluster.pods += [pod("mouse", env, space="shop") for env in ("prod", "gray")]
    assert only(cluster, model(SPEC.replace("host: mouse-svc", "host: mouse-svc.shop"))) == finding
    assert finding.fix == "Create it, or correct spec.services.cat.host."


def test_of_very_many_missing_services_some_have_a_hint(cluster):
    services = "".join(
        f"    s{number}: {{host: s-{number}-svc, port: 80, versions: {{prod: {{labels: {{a: b}}}}}}}}\n"
        for number in range(30)
    )
    head = SPEC.partition("    cat:")[0].replace("    gray: {}\n", "")
    cluster.services = {"s-svc": service("s-svc")}
    said = [finding.what for finding in found(cluster, model(head + services))]
    assert said == ["does not exist; did you mean s-svc?"] * 20 + ["does not exist"] * 10


def test_a_namespace_without_any_service(cluster):
    cluster.services = {}
    assert [finding.where for finding in found(cluster)] == ["Service demo/cat-svc", "Service demo/mouse-svc"]


def test_a_service_of_another_namespace_is_not_meant(cluster):
    cluster.services["cat-svc"] = service("cat-svc", space="shop")
    assert only(cluster).where == "Service demo/cat-svc"


def test_a_host_outside_the_cluster_is_passed_over(cluster):
    outside = SPEC.replace("host: mouse-svc", "host: mice.example.com").replace(
        "host: cat-svc", "host: www.example.com"
    )
    assert found(cluster, model(outside)) == []
    assert "Pods of demo" not in cluster.asked


def test_a_port_that_the_service_does_not_have(cluster):
    cluster.services["cat-svc"] = service("cat-svc", 80)
    finding = only(cluster)
    assert (finding.level, finding.where) == ("error", "Service demo/cat-svc")
    assert finding.what == "has no port 9001, it has 80"
    assert finding.fix.endswith("as spec.services.cat.port.")


@pytest.mark.parametrize(
    ("port", "level", "said"),
    [
        ({"name": ""}, "warning", "port 9001 has no name"),
        ({"name": "web"}, "warning", "port 9001 has name web"),
        ({"appProtocol": "x"}, "warning", "port 9001 has appProtocol x"),
        ({"name": "tcp-web"}, "error", "port 9001 is tcp to Istio (name tcp-web)"),
        ({"appProtocol": "https"}, "error", "port 9001 is https to Istio (appProtocol https)"),
        ({"protocol": "UDP"}, "error", "port 9001 is udp to Istio (protocol UDP)"),
    ],
)
def test_a_port_that_is_not_http_to_istio(cluster, port, level, said):
    cluster.services["cat-svc"] = service("cat-svc", **port)
    finding = only(cluster)
    assert (finding.level, finding.where) == (level, "Service demo/cat-svc")
    assert finding.what.startswith(said)
    command = shlex.split(finding.fix)
    assert command[:5] == ["kubectl", "patch", "service", "cat-svc", "-n"]
    assert json.loads(command[-1]) == [{"op": "add", "path": "/spec/ports/0/appProtocol", "value": "http"}]


@pytest.mark.parametrize("port", [{"name": "http2-x"}, {"name": "grpc"}, {"name": "web", "appProtocol": "http"}])
def test_a_port_that_is_http_to_istio(cluster, port):
    cluster.services["cat-svc"] = service("cat-svc", **port)
    assert found(cluster) == []


def test_only_the_port_of_the_spec_counts(cluster):
    cluster.services["cat-svc"]["spec"]["ports"].insert(0, {"port": 9002, "name": "tcp-metrics"})
    assert found(cluster) == []


# Pods


def test_a_subset_without_a_ready_pod(cluster):
    cluster.pods = [one for one in cluster.pods if one["metadata"]["name"] != "cat-gray"]
    cluster.pods += [pod("cat", "gray", ready=False), pod("cat", "gray", deletionTimestamp="2026-01-01T00:00:00Z")]
    cluster.pods += [pod("cat", "gray", space="shop"), pod("dog", "gray")]
    finding = only(cluster)
    assert (finding.level, finding.where) == ("warning", "Service demo/cat-svc")
    assert finding.what.startswith("no ready Pod is in its subset gray (env=gray)")
    assert finding.fix.endswith("kubectl get pods -n demo -l app=cat,env=gray")


def test_a_service_without_pods_is_told_once(cluster):
    cluster.pods = [one for one in cluster.pods if "cat" not in one["metadata"]["name"]]
    finding = only(cluster)
    assert (finding.level, finding.where) == ("warning", "Service demo/cat-svc")
    assert finding.what.startswith("no ready Pod is behind it")
    assert finding.fix.endswith("-l app=cat")


def test_a_service_that_selects_one_version_alone(cluster):
    cluster.services["cat-svc"] = service("cat-svc", selector={"app": "cat", "env": "prod"})
    finding = only(cluster)
    assert (finding.level, finding.where) == ("error", "Service demo/cat-svc")
    assert finding.what == "selects env=prod, so never a Pod of the subset gray (env=gray)"
    assert finding.fix.startswith("Take env out of the Service's selector")


def test_a_service_without_selector_has_endpoints_of_its_own(cluster):
    cluster.services["cat-svc"] = service("cat-svc", selector={})
    cluster.pods = []
    assert only(cluster).where == "Service demo/mouse-svc"


def test_labels_that_istio_adds_are_on_no_pod(cluster):
    one = model(SPEC.replace("{env: gray}, workload: cat", "{env: gray, topology.istio.io/network: a}, workload: cat"))
    assert found(cluster, one) == []


# Gateways


USE = SPEC.replace("{selector: {istio: ingressgateway}, port: 80}", "{use: edge/main}")


def test_a_gateway_that_an_entry_uses(cluster):
    finding = only(cluster, model(USE))
    assert (finding.level, finding.where) == ("error", "Gateway edge/main")
    assert finding.what == "does not exist: nothing comes in for cat.example.com"
    assert finding.fix == "Create it, or correct spec.entries[0].gateway.use."
    cluster.gateways = [{"metadata": {"name": "main", "namespace": "edge"}}]
    assert found(cluster, model(USE)) == []


def test_a_gateway_of_others_need_not_be_readable(cluster):
    cluster.forbidden = {"Gateways of edge"}
    assert found(cluster, model(USE)) == []


# Permissions


def test_what_the_account_may_not(cluster):
    needs = permissions(model(), ["demo"])
    cluster.denied = {("patch", "virtualservices", "demo"), ("create", "virtualservices", "demo")}
    cluster.denied.add(("update", "leases", "demo"))
    lease, routes = found(cluster, needs=needs)
    assert (routes.level, routes.where) == ("error", "Namespace demo")
    assert routes.what == "this account may not create, patch virtualservices.networking.istio.io"
    assert lease.what == "this account may not update leases.coordination.k8s.io"
    assert "k8s/rbac" in routes.fix
    assert "demo" in routes.fix


def test_a_subresource_is_named(cluster):
    cluster.denied = {("get", "pods", "istio-system")}
    finding = only(cluster, needs=[Permission("get", "", "pods", "istio-system", "proxy")])
    assert finding.what == "this account may not get pods/proxy"


def test_an_apply_needs_what_it_writes():
    one = model(SPEC.replace("namespace: demo", "namespace: edge").replace("host: mouse-svc", "host: mouse-svc.demo"))
    needs = permissions(one, ["edge", "demo", "old"], [Key("VirtualService", "old", "x")])
    said = {(need.verb, need.resource, need.namespace) for need in needs if need.group == "networking.istio.io"}
    write = {"virtualservices": ("edge", "demo"), "destinationrules": ("edge", "demo"), "gateways": ("edge",)}
    assert said == {
        *((verb, what, where) for verb in ("create", "patch") for what, places in write.items() for where in places),
        *(("list", what, where) for what in write for where in ("edge", "demo", "old")),
        ("delete", "virtualservices", "old"),
    }
    assert len(needs) == len(set(needs))
    assert {(need.resource, need.namespace) for need in needs if need.group in ("", "discovery.k8s.io")} == {
        ("configmaps", "edge"),
        *((what, where) for what in ("pods", "endpointslices") for where in ("edge", "demo")),
    }
    assert {need.namespace for need in needs if need.resource in ("leases", "configmaps")} == {"edge"}


@pytest.mark.parametrize("case", sorted(ROOT.glob("tests/golden/*/in.yaml")), ids=lambda case: case.parent.name)
def test_whatever_a_spec_renders_to_may_be_written(case):
    for group in groups(parse(case.read_text(), str(case))):
        one = compile_group(group.spec)
        written = {(kinds.KINDS[key(manifest).kind].plural, key(manifest).namespace) for manifest in render([one])}
        needed = {(need.resource, need.namespace) for need in permissions(one, []) if need.verb == "patch"}
        assert needed == written


def test_an_autoscaler_is_written_where_there_is_one():
    scaled = SPEC.replace("workload: cat-dp-gray", "workload: cat-dp-gray, autoscale: {min: 1, max: 2}")
    assert Permission("create", "", "configmaps", "demo") in permissions(model(), ["demo"])
    need = Permission("patch", "autoscaling", "horizontalpodautoscalers", "demo")
    assert need in permissions(model(scaled), ["demo"])
    assert need not in permissions(model(), ["demo"])


def test_errors_come_first(cluster):
    cluster.paths["/api/v1/namespaces/demo"] = namespace()
    cluster.services["cat-svc"] = service("cat-svc", 80)
    assert [finding.level for finding in found(cluster)] == ["error", "warning"]


def test_what_may_not_be_read_is_said_and_the_rest_is_checked(cluster):
    cluster.forbidden = {"Pods of demo", "/api/v1/namespaces/demo"}
    cluster.services["cat-svc"] = service("cat-svc", 80)
    error, *rest = found(cluster)
    assert error.what == "has no port 9001, it has 80"
    assert {(one.level, one.where, one.what) for one in rest} == {
        ("warning", "Pods in demo", "not checked: user cannot have Pods of demo"),
        ("warning", "Namespaces in demo", "not checked: user cannot have /api/v1/namespaces/demo"),
    }


def test_services_that_may_not_be_read_are_not_called_missing(cluster):
    cluster.forbidden = {"Services of demo"}
    assert only(cluster).what == "not checked: user cannot have Services of demo"


def test_any_other_answer_ends_it(cluster):
    def broken(*place, **selected):
        raise ApiError(500, "InternalError", "etcd is gone")

    cluster.list_resources = broken
    with pytest.raises(ApiError, match="etcd is gone"):
        found(cluster)


@settings(deadline=None)
@given(st.sets(st.sampled_from(["cat-prod", "cat-gray", "mouse-prod", "mouse-gray"])))
def test_each_version_without_pods_is_named(missing):
    cluster = Cluster()
    cluster.pods = [one for one in cluster.pods if one["metadata"]["name"] not in missing]
    expected = set()
    for app in ("cat", "mouse"):
        gone = [env for env in ("prod", "gray") if f"{app}-{env}" in missing]
        expected |= {f"{app}: behind it"} if len(gone) == 2 else {f"{app}: subset {env}" for env in gone}
    said = set()
    for finding in found(cluster):
        app = finding.where.removeprefix("Service demo/").removesuffix("-svc")
        what = finding.what.partition(":")[0].partition(" (")[0]
        said.add(f"{app}: {what.removeprefix('no ready Pod is in its ').removeprefix('no ready Pod is ')}")
    assert said == expected
