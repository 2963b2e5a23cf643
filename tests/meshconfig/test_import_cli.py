"""`graylane import` and `graylane init` as a user meets them: files, options, exit status, and what is refused."""

import os
import threading
from pathlib import Path

import pytest
import yaml
from fake_api import api_server
from handwritten import BOOKS, header, routes, rule, surroundings, to

from meshconfig.groups import read

ALL = "---\n".join([*surroundings(), BOOKS, *(routes(name, to(name, "v1")) for name in ("page", "reviews", "ratings"))])
ROOT = Path(__file__).parents[2]


@pytest.fixture
def mesh(tmp_path):
    file = tmp_path / "mesh.yaml"
    file.write_text(ALL)
    return file


def test_the_spec_goes_to_standard_output_and_the_report_to_the_other(graylane, mesh, tmp_path):
    code, out, err = graylane("import", "-f", mesh, "--group", "books")
    assert code == 0
    spec = tmp_path / "spec.yaml"
    spec.write_text(out)
    (group,) = read([str(spec)])
    assert (group.spec.metadata.name, group.spec.metadata.namespace) == ("books", "demo")
    assert "replaces: VirtualService demo/books" in err
    assert err.splitlines()[-1].startswith("compared: ")
    assert "all decided as before" in err


def test_a_file_is_written_once_and_replaced_by_force_alone(graylane, mesh, tmp_path):
    file = tmp_path / "graylane.yaml"
    assert graylane("import", "-f", mesh, "-o", file)[0] == 0
    text = file.read_text()
    file.write_text("mine")
    code, out, err = graylane("import", "-f", mesh, "-o", file)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is there already; --force replaces it" in err
    assert file.read_text() == "mine"
    assert graylane("import", "-f", mesh, "-o", file, "--force")[0] == 0
    assert file.read_text() == text


def test_a_difference_is_shown_with_both_answers_and_is_exit_1(graylane, tmp_path):
    file = tmp_path / "mesh.yaml"
    gateway = BOOKS.replace("host: page, port", "host: page, subset: v1, port")
    file.write_text("---\n".join([*(one for one in surroundings() if "kind: Deployment" not in one), gateway]))
    code, out, err = graylane("import", "-f", file)
    assert code == 1
    assert yaml.safe_load(out)["kind"] == "LaneGroup"
    lines = err.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("differs: "))
    assert "page.demo.svc.cluster.local" in lines[place]
    assert lines[place + 1].startswith("  before: page.demo.svc.cluster.local:9080")
    assert lines[place + 2].startswith("  after:  page.demo.svc.cluster.local:9080 subset v1")


FRONT = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec:
  hosts: ["*"]
  gateways: [front]
  http:
    - match: [{uri: {exact: /page}}, {uri: {prefix: /static}}, {uri: {prefix: /api/v1/items}}]
      route: [{destination: {host: page, %s port: {number: 9080}}}]
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {ports: [{port: 9080, name: http}], selector: {app: page}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: page}
spec: {host: page, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
"""
POD = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: page-%(v)s}
spec:
  selector: {matchLabels: {app: page, version: %(v)s}}
  template: {metadata: {labels: {app: page, version: %(v)s}}, spec: {containers: []}}
"""


@pytest.mark.parametrize(
    ("subset", "running", "said", "status"),
    [
        ("", ["v1"], "all decided as before", 0),
        ("", ["v1", "v2"], "all decided as before", 0),  # a version that has all Pods
        ("subset: v1,", ["v1"], "all decided as before", 0),  # in the mesh all Pods are those of v1
        ("subset: v1,", ["v1", "v2"], "differs: GET http://page.", 1),  # in the mesh both answered, and now v1
    ],
)
def test_a_gateway_for_services_without_routes_in_the_mesh(graylane, tmp_path, subset, running, said, status):
    """As Istio's bookinfo has them before any of its routing tasks."""
    file = tmp_path / "front.yaml"
    file.write_text(FRONT % subset + "".join(POD % {"v": one} for one in running))
    code, out, err = graylane("import", "-f", file, "--group", "front")
    assert (code, said in err) == (status, True), err
    (entry,) = yaml.safe_load(out)["spec"]["entries"]
    assert [route["path"] for route in entry["routes"]] == [
        {"exact": "/page"},
        {"prefix": "/static"},
        {"prefix": "/api/v1/items"},
    ]


def test_what_is_left_alone_has_file_and_line(graylane, mesh):
    mesh.write_text(ALL + "---\n" + routes("other", {"redirect": {"uri": "/x"}}))
    line = mesh.read_text().splitlines().index("  - redirect:") + 1
    _, _, err = graylane("import", "-f", mesh)
    assert f"left alone: {mesh}:{line}: VirtualService demo/other http[0]: a redirect is not part of a spec" in err


REFUSED = [
    (("import",), "name manifests by -f, or give --live"),
    (("import", "--live"), "needs -n NAMESPACE"),
    (("import", "-f", "MESH", "--group", "No_Name"), "takes a name of lower-case letters"),
    (("import", "-f", "missing.yaml"), "missing.yaml: no such file"),
    (("import", "-f", str(ROOT / "examples/cat-mouse/graylane.yaml")), "has a spec of graylane already"),
    (("import", "-f", str(ROOT / "k8s/demo")), "has no VirtualService and no HTTPRoute or GRPCRoute; `graylane init`"),
    (("import", "-f", "MESH", "-o", "nowhere/spec.yaml"), "there is no directory nowhere"),
    (("init",), "is missing"),
    (("init", "-f", "MESH", "-n", "nobody"), "no Service here has the Pods of a Deployment"),
    (("init", "-f", "MESH", "-o", "nowhere"), "there is no directory nowhere"),
    (("init", "-f", str(ROOT / "k8s/mesh")), "has no Service"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_bad_input_is_one_line_and_exit_2(graylane, mesh, words, said):
    code, out, err = graylane(*(str(mesh) if word == "MESH" else word for word in words))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err


def test_nothing_to_say_lists_why(graylane, tmp_path):
    file = tmp_path / "mesh.yaml"
    file.write_text(rule("page", "v1") + "---\n" + routes("page", to("page", "v1"), exportTo=["."]))
    code, _, err = graylane("import", "-f", file)
    assert code == 2
    assert f"{file}:" in err
    assert "exportTo is not part of a spec" in err


@pytest.mark.slow
def test_live_imports_one_namespace_and_no_group_of_graylane(graylane, tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        for one in yaml.safe_load_all(ALL):
            api.put(one)
        own = yaml.safe_load(routes("other", to("page", "v1")))
        own["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "zoo"}
        api.put(own)
        code, out, err = graylane("import", "--live", "-n", "demo")
        assert code == 0, err
        assert set(yaml.safe_load(out)["spec"]["services"]) == {"page", "reviews", "ratings"}
        assert "VirtualService demo/other" not in err


def test_two_ways_to_name_the_header(graylane, mesh):
    two = routes("reviews", to("reviews", "v2", match=header("x-lane", "gray")), to("reviews", "v1"))
    mesh.write_text(ALL.replace(routes("reviews", to("reviews", "v1")), two))
    assert yaml.safe_load(graylane("import", "-f", mesh)[1])["spec"]["tag"]["header"] == "x-lane"
    tagged = yaml.safe_load(graylane("import", "-f", mesh, "--tag", "env")[1])["spec"]
    assert tagged["services"]["reviews"]["rules"] == [{"match": {"headers": {"x-lane": "gray"}}, "weights": {"v2": 1}}]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop}}
spec:
  template:
    metadata: {{labels: {labels}}}
    spec: {{containers: [{{name: app, image: x, env: [{{name: NEXT, value: "{next}"}}]}}]}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 8080, name: http}}]}}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}
          - {path: /cart, pathType: Prefix, backend: {service: {name: cart, port: {number: 8080}}}}
"""
SHOP = "---".join(
    [
        *(SERVICE.format(name=name) for name in ("web", "cart", "pay")),
        DEPLOYMENT.format(name="web-stable", labels="{app: web, track: stable}", next="http://cart:8080/items"),
        DEPLOYMENT.format(name="web-canary", labels="{app: web, track: canary}", next="http://cart:8080/items"),
        DEPLOYMENT.format(name="cart", labels="{app: cart}", next="pay.shop.svc.cluster.local:8080"),
        DEPLOYMENT.format(name="pay", labels="{app: pay}", next="http://cartridge:1"),
    ]
)


def test_init_finds_versions_calls_and_the_entry(graylane, tmp_path):
    file = tmp_path / "k8s.yaml"
    file.write_text(SHOP)
    code, out, err = graylane("init", "-f", file, "-o", tmp_path)
    assert (code, out) == (0, ""), err
    spec = yaml.safe_load((tmp_path / "graylane.yaml").read_text())["spec"]
    assert spec["lanes"] == {"stable": {}, "canary": {}}
    assert spec["services"]["web"]["versions"] == {
        "canary": {"labels": {"track": "canary"}},
        "stable": {"labels": {"track": "stable"}},
    }
    assert {name: one.get("calls", []) for name, one in spec["services"].items()} == {
        "web": ["cart"],
        "cart": ["pay"],
        "pay": [],
    }
    assert [one["hosts"] for one in spec["entries"]] == [["web.example.com"]]
    assert f"next: graylane local up -f {tmp_path}/graylane.yaml" in err


def test_init_takes_entries_from_ingresses_the_longest_path_first(graylane, tmp_path):
    file = tmp_path / "k8s.yaml"
    file.write_text(f"{SHOP}---{INGRESS}")
    assert graylane("init", "-f", file, "-o", tmp_path)[0] == 0
    (entry,) = yaml.safe_load((tmp_path / "graylane.yaml").read_text())["spec"]["entries"]
    assert entry == {
        "hosts": ["shop.example.com"],
        "routes": [{"path": {"prefix": "/cart"}, "service": "cart"}, {"path": {"prefix": "/"}, "service": "web"}],
    }


def test_a_pipe_is_written_to_without_force(graylane, mesh, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert graylane("import", "-f", mesh, "-o", pipe)[0] == 0
    reader.join(20)
    assert read
    assert yaml.safe_load(read[0])["kind"] == "LaneGroup"
    assert pipe.is_fifo()


def test_init_replaces_neither_file_unasked(graylane, tmp_path):
    file, local = tmp_path / "k8s.yaml", tmp_path / "local.yaml"
    file.write_text(SHOP)
    local.write_text("mine")
    code, _, err = graylane("init", "-f", file, "-o", tmp_path)
    assert (code, "local.yaml: is there already" in err) == (2, True)
    assert not (tmp_path / "graylane.yaml").exists()
    assert graylane("init", "-f", file, "-o", tmp_path, "--force")[0] == 0
    assert local.read_text() != "mine"
