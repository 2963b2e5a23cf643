"""`graylane explain` as a user meets it, on manifests of any origin, on specs, and on what a cluster has."""

import json
from pathlib import Path

import pytest
import yaml
from fake_api import RefusedError, api_server
from istio_world import deployment, gateway, in_mesh, manifest, rule, says, service, to, virtual_service

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples" / "cat-mouse" / "graylane.yaml"
GRAY = {"headers": {"env": {"exact": "gray"}}}
REVIEWS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}}]
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""


@pytest.fixture
def explain(graylane, tmp_path):
    """Run `graylane explain` on manifests; gives (exit code, standard output, standard error)."""

    def run(manifests, *arguments):
        file = tmp_path / "given.yaml"
        file.write_text(manifests if isinstance(manifests, str) else yaml.safe_dump_all(manifests))
        return graylane("explain", "-f", file, *arguments)

    return run


def answer(printed):
    """The line with the answer."""
    return next(line for line in printed.splitlines() if line.startswith("→"))


MESH = (
    service(),
    rule(),
    in_mesh("cat", to("gray", GRAY), to("prod")),
    deployment("cat", "gray"),
    deployment("web", "prod"),
)
OUTSIDE = (*MESH, gateway(port=8080), virtual_service("shop", to("gray", GRAY), to("prod")))


@pytest.mark.parametrize(("user", "version"), [("jason", "v2"), ("mary", "v1"), (None, "v1")])
def test_a_virtual_service_without_its_service_and_namespace(explain, user, version):
    code, out, _ = explain(f"{REVIEWS}---{RULE}", "--host", "reviews", *(("-H", f"end-user:{user}") if user else ()))
    assert code == 0
    assert answer(out).startswith(f"→ reviews.default.svc.cluster.local / {version}")
    assert "  from a Pod in namespace default" in out.splitlines()


def test_a_virtual_service_alone_has_its_subsets_assumed(explain):
    code, out, _ = explain(REVIEWS, "--host", "reviews", "-H", "end-user:jason")
    assert code == 0
    assert answer(out).startswith("→ reviews.default.svc.cluster.local / v2")
    assert "assumed: a DestinationRule of reviews.default.svc.cluster.local has subset v2" in out.splitlines()


@pytest.mark.parametrize("given", [[service("reviews", namespace="default")], [rule("other")]])
def test_beside_its_service_or_other_rules_a_subset_that_no_rule_has_is_a_503(explain, given):
    code, out, _ = explain(f"{REVIEWS}---\n{yaml.safe_dump_all(given)}", "--host", "reviews")
    assert code == 1
    assert answer(out).startswith("→ 503 cluster not found: no DestinationRule of reviews.default.svc.cluster.local")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com:8080/a?b=1",
        "http://shop.example.com/a?b=1",
        "shop.example.com:8080/a?b=1",
        "shop.example.com/a?b=1",
        "HTTP://user@shop.example.com:8080/a?b=1#part",
    ],
)
def test_a_url_says_scheme_host_port_path_and_query(explain, url):
    code, out, _ = explain(OUTSIDE, "--host", url, "-H", "env:gray")
    assert code == 0
    assert out.splitlines()[0].startswith("GET shop.example.com")
    assert "/a?b=1   env: gray" in out.splitlines()[0]
    assert answer(out).startswith("→ cat.demo.svc.cluster.local / gray")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "http://a.org/x", "--path", "/y"], "--path: is /y, and --host has /x: give one"),
        (["--host", "https://a.org", "--scheme", "http"], "--scheme: is http, and --host has https: give one"),
        (["--host", "a.org:81", "--port", "82"], "--port: is 82, and --host has port 81: give one"),
        (["--host", "a.org:x"], "--host: 'a.org:x' is no host"),
        (["--host", "a.org:99999"], "--host: 'a.org:99999' is no host"),
        (["--host", ""], "--host: '' is no host"),
        (["--host", "http:///x"], "--host: 'http:///x' is no host"),
        (["--host", "a b"], "--host: 'a b' is no host"),
        (["--host", "ftp://a.org"], "--host: takes a URL of http or https, not ftp"),
        (["--host", "a.org", "--port", "0"], "--port: takes a port from 1 to 65535, not 0"),
        (
            ["--host", "a.org", "--from", "nobody"],
            "--from: there is no service nobody; there is cat, cat-gray, web-prod",
        ),
        (
            ["--host", "a.org", "--from", "demo/wep-prod"],
            "there is no workload and no Service demo/wep-prod; did you mean",
        ),
        (["--host", "a.org", "--gateway", "demo/gv"], "--gateway: there is no Gateway demo/gv; did you mean demo/gw?"),
        (["--host", "a.org", "--gateway", "gw", "--from", "cat"], "--gateway: takes a request from outside"),
        (["--host", "a.org", "-A"], "--all-namespaces: is for --live"),
    ],
)
def test_bad_options_are_one_line_and_exit_2(explain, arguments, said):
    code, out, err = explain(OUTSIDE, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_what_is_given_both_ways_and_is_the_same_is_taken(explain):
    given = ["--host", "http://shop.example.com:8080/a", "--path", "/a", "--port", "8080", "--scheme", "http"]
    assert explain(OUTSIDE, *given)[0] == 0


def test_without_files_and_a_cluster_the_spec_of_the_folder_is_read(graylane, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = graylane("explain", "--host", "x")
    assert (code, out) == (2, "")
    assert err.startswith("FILE: is missing, and there is no graylane.yaml in the current folder")
    (tmp_path / "graylane.yaml").write_text((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text())
    assert answer(graylane("explain", "--host", "cat.example.com", "--path", "/sayHello")[1]).startswith("→ cat")


LABELLED = in_mesh(
    "cat", to("gray", {"sourceLabels": {"app": "web"}}), to("prod", {"sourceNamespace": "demo"}), says(418)
)


@pytest.mark.parametrize(
    ("source", "expected", "origin"),
    [
        ("demo/web-prod", "gray", "from Deployment demo/web-prod"),
        ("web-prod", "gray", "from Deployment demo/web-prod"),
        ("web", "gray", "from Service demo/web"),
        ("demo/cat-gray", "prod", "from Deployment demo/cat-gray"),
        ("demo/alone", "prod", "from Pod demo/alone"),
        ("demo/nightly", "prod", "from CronJob demo/nightly"),
        ("demo/rolled", "gray", "from Rollout demo/rolled"),
        ("other/", None, "from a Pod in namespace other"),
        ("third/x", None, "from third/x, whose labels are not given"),
    ],
)
def test_who_sends(explain, source, expected, origin):
    template = {"metadata": {"labels": {"app": "web"}}}
    senders = (
        service("web", selector={"app": "web", "env": "prod"}),
        manifest("Pod", "alone", {"containers": []}, api="v1", labels={"app": "x"}),
        manifest(
            "CronJob",
            "nightly",
            {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}},
            api="batch/v1",
        ),
        manifest("Rollout", "rolled", {"template": template}, api="argoproj.io/v1alpha1"),
    )
    _, out, _ = explain((*MESH[:2], *MESH[3:], *senders, LABELLED), "--host", "cat.demo:9001", "--from", source)
    assert f"  {origin}" in out.splitlines()
    if expected is not None:
        assert answer(out).startswith(f"→ cat.demo.svc.cluster.local / {expected}")
    else:
        assert answer(out) == "→ cannot be decided"
        assert "the sender's labels are not known" in out


def test_a_bare_name_in_two_namespaces_has_to_be_said_whole(explain):
    two = (*MESH, service("web"), service("web", namespace="other"))
    code, _, err = explain(two, "--host", "cat.demo", "--from", "web")
    assert (code, err) == (2, "--from: web is in the namespaces demo, other: write NAMESPACE/web\n")
    assert explain(two, "--host", "cat.demo", "--from", "web", "-n", "demo")[0] == 0


def test_a_namespace_for_manifests_and_short_names(explain):
    _, out, _ = explain(f"{REVIEWS}---{RULE}", "--host", "reviews", "-n", "shop")
    assert "reviews.shop.svc.cluster.local" in answer(out)


@pytest.mark.parametrize(("host", "inside"), [("cat", True), ("cat.demo", True), ("shop.example.com", False)])
def test_a_host_of_the_mesh_alone_is_called_from_a_pod(explain, host, inside):
    _, out, _ = explain(OUTSIDE, "--host", host)
    assert ("from a Pod in namespace demo" in out or "from a Pod in namespace default" in out) is inside
    assert ("from outside" in out) is not inside


def test_a_gateway_is_named(explain):
    two = (*OUTSIDE, gateway("g2", port=8080, selector={"istio": "other"}))
    _, out, _ = explain(two, "--host", "shop.example.com")
    assert "not decided: Gateway demo/g2 serves this host too, on other Pods" in out
    code, out, _ = explain(two, "--host", "shop.example.com", "--gateway", "demo/g2")
    assert code == 1
    assert "not used: VirtualService demo/shop: it is at Gateway demo/gw" in out
    _, out, _ = explain(two, "--host", "shop.example.com", "--gateway", "gw")
    assert "  from outside, at Gateway demo/gw" in out.splitlines()


def test_near_misses_are_told_in_text_and_json(explain):
    half = (service(), in_mesh("half", says(201), hosts=("cat.demo",)))
    _, out, _ = explain(half, "--host", "cat", "--from", "demo/")
    assert "not used: VirtualService demo/half: its host cat.demo is no Service to Istio" in out
    _, out, _ = explain(half, "--host", "cat", "--from", "demo/", "--output", "json")
    (miss,) = json.loads(out)["near_misses"]
    assert (miss["virtual_service"], miss["reason"]) == ("demo/half", "half name")


def test_the_workloads_that_answer_are_told(explain):
    _, out, _ = explain(MESH, "--host", "cat", "--from", "demo/", "-H", "env:gray")
    assert "    answered by demo/cat-gray" in out.splitlines()
    _, out, _ = explain(MESH, "--host", "cat", "--from", "demo/")
    assert "    no workload that is given has such Pods: 503, if there are no others" in out.splitlines()


def test_a_tcp_route(explain):
    echo = service("echo", ports=((9000, "tcp"),))
    shares = [
        {"destination": {"host": "echo", "subset": one}, "weight": weight} for one, weight in (("v1", 80), ("v2", 20))
    ]
    tcp = in_mesh("echo", hosts=("echo",), tcp=[{"match": [{"port": 9000}], "route": shares}])
    _, out, _ = explain((echo, tcp, rule("echo", ("v1", "v2"))), "--host", "echo:9000", "--from", "demo/")
    assert "    yes tcp[0]       takes it" in out.splitlines()
    assert "→   80 % echo.demo.svc.cluster.local / v1" in out
    assert "→   20 % echo.demo.svc.cluster.local / v2" in out


def test_specs_and_manifests_together(graylane, tmp_path):
    known = [service("cat-svc"), service("mouse-svc"), virtual_service("x", says(418), hosts=("x.org",))]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump_all([*MESH, *known]))
    both = ["explain", "-f", SPEC, "-f", tmp_path / "other.yaml"]
    code, out, _ = graylane(*both, "--host", "cat.example.com", "-H", "env:gray")
    assert code == 0
    assert answer(out).startswith("→ cat / gray")
    code, out, _ = graylane(*both, "--from", "mouse", "--host", "cat.demo:9001")
    assert code == 0
    assert "from service mouse" in out


def test_a_specs_entry_on_another_port(explain):
    spec = yaml.safe_load(SPEC.read_text())
    spec["spec"]["entries"][0]["gateway"] = {"selector": {"istio": "ingressgateway"}, "port": 8080}
    for host in ("cat.example.com", "http://cat.example.com:8080", "cat.example.com:8080"):
        code, out, _ = explain([spec], "--host", host, "-H", "env:gray")
        assert code == 0
        assert answer(out).startswith("→ cat / gray")
    code, out, _ = explain([spec], "--host", "http://cat.example.com:80")
    assert code == 1
    assert "no Gateway serves cat.example.com on port 80; Gateway demo/" in answer(out)


@pytest.mark.parametrize(
    "given", [["--host", "http://cat.example.com/sayHello?x"], ["--host", "cat.example.com", "--path", "/sayHello?x"]]
)
def test_a_url_answers_as_its_path_does(graylane, given):
    _, out, _ = graylane("explain", "-f", SPEC, *given)
    assert out.splitlines()[0] == "GET cat.example.com/sayHello?x"


@pytest.mark.parametrize("header", ["env:grey", "baggage:a=b,env=grey", "ENV: grey"])
def test_an_unknown_lane_is_named(graylane, header):
    _, out, _ = graylane("explain", "-f", SPEC, "--host", "cat.example.com", "-H", header)
    assert "env: there is no lane grey; did you mean gray?" in out.splitlines()
    _, out, _ = graylane("explain", "-f", SPEC, "--host", "cat.example.com", "-H", header, "--output", "json")
    assert json.loads(out)["notes"] == ["env: there is no lane grey; did you mean gray?"]


@pytest.mark.parametrize("header", ["env:gray", "env:prod", "other:grey", "baggage:env=gray"])
def test_a_known_lane_needs_no_word(graylane, header):
    _, out, _ = graylane("explain", "-f", SPEC, "--host", "cat.example.com", "-H", header)
    assert "no lane" not in out


def test_a_chain_of_services_that_no_spec_has(explain):
    hops = (*OUTSIDE, service("mouse"), deployment("mouse", "prod"))
    _, out, _ = explain(hops, "--host", "shop.example.com", "-H", "env:gray", "--chain", "cat,mouse")
    assert out.splitlines()[-1] == "   100 % cat.demo.svc.cluster.local / gray → mouse.demo.svc.cluster.local"


def test_what_is_neither_a_spec_nor_a_manifest(explain):
    code, _, err = explain("apiVersion: graylane/v1\nkind: LaneGrup\n", "--host", "x")
    assert code == 2
    assert "unknown kind LaneGrup; did you mean LaneGroup?" in err


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """An API server with a mesh: `forbidden` are the (plural, namespace) that the account may not list."""
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.put(*MESH[:3], gateway(port=8080, namespace="istio-system"))
        api.put(deployment_with_containers("cat", "gray"), deployment_with_containers("web", "prod"))
        shop = virtual_service("shop", to("gray", GRAY), to("prod"), gateways=("istio-system/gw",))
        api.put(shop, service("far", namespace="other"), in_mesh("far", says(418), hosts=("far",), namespace="other"))
        api.forbidden = set()

        def check(method, path):
            for plural, space in api.forbidden:
                if path.split("?")[0].endswith(f"/namespaces/{space}/{plural}" if space else f"/{plural}"):
                    raise RefusedError(403, "Forbidden", "may not")

        api.before.append(check)
        yield api


def deployment_with_containers(app, env):
    one = deployment(app, env)
    one["spec"]["template"]["spec"] = {"containers": [{"name": "a", "image": "app"}]}
    return one


@pytest.mark.slow
def test_what_a_cluster_has_now(graylane, cluster):
    code, out, _ = graylane("explain", "--live", "-n", "demo", "--host", "shop.example.com", "-H", "env:gray")
    assert code == 0
    assert answer(out).startswith("→ cat.demo.svc.cluster.local / gray")
    assert "    answered by demo/cat-gray" in out.splitlines()
    assert {method for method, _ in cluster.seen} == {"GET"}
    assert not [path for _, path in cluster.seen if "/other/" in path or "secrets" in path]
    code, out, _ = graylane("explain", "--live", "-n", "demo", "--from", "web-prod", "--host", "cat", "-H", "env:gray")
    assert answer(out).startswith("→ cat.demo.svc.cluster.local / gray")


def test_all_of_a_cluster(graylane, cluster):
    asked = ["explain", "--live", "--from", "demo/web-prod", "--host", "far.other:9001"]
    assert answer(graylane(*asked, "-A")[1]) == "→ 418 direct response"
    # Of a namespace that was not read, nothing is known.
    assert "assumed: there is a Service" not in graylane(*asked, "-A")[1]
    assert "not routed by Istio" in answer(graylane(*asked, "-n", "demo")[1])
    missing = graylane("explain", "--live", "-n", "demo", "--from", "demo/", "--host", "nobody")[1]
    assert "not routed by Istio" in answer(missing)


@pytest.mark.slow
def test_a_file_takes_the_place_of_what_it_names_in_the_cluster(graylane, cluster, tmp_path):
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(in_mesh("cat", says(418))))
    code, out, _ = graylane(
        "explain", "--live", "-n", "demo", "-f", tmp_path / "new.yaml", "--from", "demo/", "--host", "cat"
    )
    assert (code, answer(out)) == (1, "→ 418 direct response")
    assert "not used" not in out


@pytest.mark.parametrize(
    ("forbidden", "said"),
    [
        ({("envoyfilters", "demo")}, "of namespace demo, these kinds could not be read (forbidden): EnvoyFilter"),
        ({("pods", "demo"), ("wasmplugins", "demo")}, "could not be read (forbidden): Pod, WasmPlugin"),
        (
            {("services", "istio-system")},
            "of namespace istio-system, these kinds could not be read (forbidden): Service",
        ),
    ],
)
def test_what_the_account_may_not_read_is_told(graylane, cluster, forbidden, said):
    cluster.forbidden = forbidden
    code, out, _ = graylane("explain", "--live", "-n", "demo", "--host", "cat", "--from", "demo/")
    assert code == 0
    assert said in out


@pytest.mark.slow
@pytest.mark.parametrize("plural", ["virtualservices", "destinationrules", "services"])
def test_without_the_rights_that_each_answer_needs(graylane, cluster, plural):
    cluster.forbidden = {(plural, "demo")}
    code, _, err = graylane("explain", "--live", "-n", "demo", "--host", "cat")
    assert code != 0
    assert "this account may not list" in err
    assert "in namespace demo. The rights that it takes: docs/explain.md" in err
    assert len(err.splitlines()) == 1
    cluster.forbidden = {(plural, "")}
    assert "in all namespaces; -n reads one" in graylane("explain", "--live", "-A", "--host", "cat")[2]


def test_an_unread_root_namespace_is_told_once(graylane, cluster):
    def refuse(method, path):
        if "/namespaces/istio-system/" in path:
            raise RefusedError(403, "Forbidden", "may not")

    cluster.before.append(refuse)
    _, out, _ = graylane("explain", "--live", "-n", "demo", "--host", "cat", "--from", "demo/")
    assert out.count("namespace istio-system could not be read (forbidden)") == 1
